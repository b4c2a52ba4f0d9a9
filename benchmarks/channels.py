"""How much better are faint EDS maps with the help of HAADF than each by itself?

Simulated: iron, cobalt and carbon (0.3, 1 and 0.1 counts a pixel), HAADF (100 counts). The border
between iron and cobalt is hardly seen in HAADF, nor is carbon. Methods that see one channel get
the help of the truth: SIRT its best iteration, TV its best weight. Ours gets none.

    python benchmarks/channels.py --json channels.json
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import tomoinr
from tomoinr.builtin.elements import DOSES, Counted, counted
from tomoinr.io import gather
from tomoinr.metrics import Score

SIRT = (1, 2, 3, 5, 8, 12, 18, 27, 40, 60, 90)  # iterations
TV = (0.05, 0.1, 0.2, 0.3, 0.45, 0.7, 1.0, 1.5)  # weights
TV_STEPS = 300
SINGLE = ("SIRT, best iteration", "TV, best weight", "auto, by itself")
JOINT = "fused, with HAADF"
NETWORK = "siren, with HAADF"


def arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=48, help="voxels along each edge")
    parser.add_argument("--step", type=float, default=3.0, help="degrees between tilts within ±60°")
    parser.add_argument("--every", type=int, default=1, help="EDS at every so-manieth tilt only")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quality", default="default", choices=("fast", "default", "best"))
    parser.add_argument("--network", action="store_true", help="a network on one trunk as well")
    parser.add_argument("--json", type=Path, help="write the gain and all scores here")
    parser.add_argument("--picture", type=Path, help="write a picture of the middle slices here")
    return parser.parse_args(given)


def best(counted: Counted, tried: Iterable[dict[str, Any]]) -> tuple[Score, np.ndarray]:
    """The best SSIM and its volume, and the best PSNR of any: the truth chooses twice."""
    found = []
    for solver in tried:
        voxels = tomoinr.reconstruct(counted.series, solver=solver, poses="fixed").voxels
        found.append((counted.score(voxels), voxels))
    ssim, voxels = max(found, key=lambda one: one[0].ssim)
    return Score(ssim.ssim, max(one.psnr for one, _ in found)), voxels


def alone(counted: Counted, quality: str) -> dict[str, tuple[Score, np.ndarray]]:
    """Each method on one element's images."""
    auto = tomoinr.reconstruct(counted.series, solver="auto", poses="fixed", quality=quality)
    own = (counted.score(auto.voxels), auto.voxels)
    sirt = best(counted, ({"name": "sirt", "steps": n} for n in SIRT))
    tv = best(counted, ({"name": "tv", "weight": w, "steps": TV_STEPS} for w in TV))
    return dict(zip(SINGLE, (sirt, tv, own), strict=True))


def gain(scores: Mapping[str, Mapping[str, Score]]) -> dict[str, float]:
    """Joint minus the best of the single ones, each score for itself; mean over elements."""
    found = {}
    for name in ("ssim", "psnr"):
        above = [
            getattr(by[JOINT], name) - max(getattr(by[one], name) for one in SINGLE)
            for by in scores.values()
        ]
        found[name] = float(np.mean(above))
    return found


def measure(args: argparse.Namespace) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Scores of every method on every element, and what is to be seen."""
    angles = np.arange(-60, 60.01, args.step)
    names = [name for name in DOSES if name != "HAADF"]
    data = counted(args.size, args.seed, angles, fewer=dict.fromkeys(names, args.every))
    begun = time.perf_counter()
    series = gather({name: one.series for name, one in data.items()}, poses_from=("HAADF",))
    joint = tomoinr.reconstruct(series, solver="fused", poses="fixed", quality=args.quality)
    print(f"fused: {time.perf_counter() - begun:.0f} s; {joint.series}")
    for note in joint.notes:
        print(f"  {note}")
    together = {JOINT: joint.voxels}
    if args.network:
        options = {"volume": "siren", "solver": "joint", "poses": "fixed", "quality": args.quality}
        together[NETWORK] = tomoinr.reconstruct(series, **options).voxels
    scores: dict[str, dict[str, Score]] = {}
    volumes: dict[str, dict[str, Any]] = {"HAADF": {}}
    for name in names:
        found = alone(data[name], args.quality)
        for method, volume in together.items():
            voxels = volume[list(data).index(name)]
            found[method] = (data[name].score(voxels), voxels)
        scores[name] = {method: one for method, (one, _) in found.items()}
        volumes[name] = {"truth": data[name].truth} | {m: v for m, (_, v) in found.items()}
        for method, one in scores[name].items():
            print(f"{name:3s} {method:22s} SSIM {one.ssim:.4f}  PSNR {one.psnr:.2f}", flush=True)
    haadf = data["HAADF"].score(joint.voxels[0])
    print(f"HAADF {'auto':20s} SSIM {haadf.ssim:.4f}  PSNR {haadf.psnr:.2f}")
    table = {"gain": gain(scores), "size": args.size, "seed": args.seed, "tilts": len(angles)}
    elements = {n: {m: one._asdict() for m, one in by.items()} for n, by in scores.items()}
    return table | {"doses": DOSES, "every": args.every, "elements": elements}, volumes


def draw(volumes: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """The middle slice of every element by every method."""
    import matplotlib.pyplot as plt

    shown = {name: by for name, by in volumes.items() if by}
    methods = list(next(iter(shown.values())))
    size = (2.4 * len(methods), 2.6 * len(shown))
    figure, axes = plt.subplots(len(shown), len(methods), figsize=size, layout="constrained")
    for row, (name, by) in zip(axes, shown.items(), strict=True):
        for axis, method in zip(row, methods, strict=True):
            middle = by[method][len(by[method]) // 2]
            axis.imshow(middle, cmap="gray", vmin=0, vmax=np.quantile(by[method], 0.999))
            axis.set(xticks=(), yticks=(), title=method if name == next(iter(shown)) else "")
        row[0].set_ylabel(name)
    figure.savefig(path, dpi=110)


def main(given: list[str] | None = None) -> dict[str, Any]:
    args = arguments(given)
    table, volumes = measure(args)
    told = table["gain"]
    print(
        f"gain over the best single method: SSIM {told['ssim']:+.4f}, PSNR {told['psnr']:+.2f} dB"
    )
    if args.json:
        args.json.write_text(json.dumps(table, indent=1) + "\n", "utf-8")
    if args.picture:
        draw(volumes, args.picture)
    return table


if __name__ == "__main__":
    try:
        main()
    except tomoinr.TomoinrError as error:
        sys.exit(str(error))
