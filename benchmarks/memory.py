"""Peak memory of every solver on a CPU, each in a process of its own, beside volume + data.

The figure is what the process ever held at most (resident), less what it held before it read the
tilt series; by then everything was imported and the same parts had solved a tiny problem. So the
images, the volume, the result and all that is needed in between count; Python and its libraries do
not. Volume + data is what the voxels and the images take up as 32-bit numbers. At most three times
that is the aim.

python benchmarks/memory.py --size 128 --methods sirt auto
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import torch
from trials.trial import memory

import tomoinr
from tomoinr.builtin.phantoms import nanoparticles
from tomoinr.builtin.slices import Slices
from tomoinr.builtin.voxels import Voxels
from tomoinr.errors import reason
from tomoinr.geometry import Grid, Poses, place
from tomoinr.teams import open_team

AIM = 3  # × (volume + data)
MIB = 2**20
SHIFT, TURN, SEED = 2.0, 1.5, 0  # rms pixels and degrees by which poses are off
TINY = 16  # voxels along each edge of what is solved first
MOVED = "moved"  # with the true poses, so that images are shifted and turned
METHODS: dict[str, dict[str, Any]] = {
    "sirt": {"solver": "sirt"},
    "tv": {"solver": "tv"},
    "sirt moved": {"solver": "sirt", MOVED: True},
    "tv moved": {"solver": "tv", MOVED: True},
    "joint voxels": {"solver": "joint", "volume": "voxels"},
    "joint siren": {"solver": "joint", "volume": "siren"},
    "joint grid": {"solver": "joint", "volume": "grid"},
    "joint kplanes": {"solver": "joint", "volume": "kplanes"},
    "auto fast": {"solver": "auto", "quality": "fast"},
    "auto default": {"solver": "auto"},
    "auto by 16 rows": {"solver": {"name": "auto", "together": 16}},
}
# With a strength that is given, since asking held-out images takes long at large sizes.
LARGE: dict[str, dict[str, Any]] = {
    "auto plain": {"solver": {"name": "auto", "caution": 0.2, "finer": 1}},
    "plain by 32 rows": {"solver": {"name": "auto", "caution": 0.2, "finer": 1, "together": 32}},
    "auto fine": {"solver": {"name": "auto", "caution": 0.2, "finer": 2}},
    "auto by 32 rows": {"solver": {"name": "auto", "caution": 0.2, "together": 32}},
}


class Figures(NamedTuple):
    """MiB that a reconstruction added at most, and its seconds; or why there are none."""

    peak: float = float("nan")
    seconds: float = float("nan")
    failed: str = ""


def main(words: list[str] | None = None) -> None:
    args = arguments(words)
    os.environ["OMP_NUM_THREADS"] = str(args.threads)  # for the processes to come
    least = (args.size**3 + args.tilts * args.size**2) * 4 / MIB
    print(
        f"{args.size}³ voxels, {args.tilts} images: volume + data {least:.1f} MiB, "
        f"aim at most {AIM * least:.0f} MiB; {args.steps} steps"
    )
    print(f"{'':16}{'MiB':>8}{'ratio':>8}{'s':>8}")
    with tempfile.TemporaryDirectory() as folder:
        tiny, whole = (
            taken(size, args.tilts).save(Path(folder) / f"{size}.mrc") for size in (TINY, args.size)
        )
        for name in args.methods:
            print(
                told(name, alone((METHODS | LARGE)[name], tiny, whole, args.steps), least),
                flush=True,
            )


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--size", type=int, default=256, help="voxels along each edge")
    add("--tilts", type=int, default=61)
    add("--steps", type=int, default=12, help="of each solver; of auto: in all its stages")
    add("--threads", type=int, default=1)
    add("--methods", nargs="+", choices=METHODS | LARGE, default=list(METHODS), metavar="METHOD")
    return parser.parse_args(words)


def taken(
    size: int, tilts: int, shift: float = SHIFT, turn: float = TURN, noise: float = 0.1
) -> tomoinr.TiltSeries:
    """Noisy images of nanoparticles within ±60°, poses off by so many pixels and degrees (rms)."""
    grid, random = Grid((size,) * 3), torch.Generator().manual_seed(SEED)
    angles, poses = torch.linspace(-60, 60, tilts), true_poses(tilts, shift, turn, random)
    specimen = Voxels(Voxels.Options(), grid)
    specimen.values.data[0] = torch.from_numpy(nanoparticles(grid.shape, 0))
    with torch.no_grad():
        views = place(poses, (tilts, size, size), grid.spacing)
        images = Slices(Slices.Options(), grid).project(specimen, views)[0]
    grain = noise * images.mean() * torch.randn(images.shape, generator=random)
    return tomoinr.TiltSeries(images + grain, angles)


def true_poses(tilts: int, shift: float, turn: float, random: torch.Generator) -> Poses:
    """What `taken` draws first, so that the same seed gives its poses again."""
    moves, turns = (torch.randn(tilts, n, generator=random) for n in (2, 1))
    return Poses.of(torch.linspace(-60, 60, tilts), turn * turns[:, 0], shift=shift * moves)


def alone(options: dict[str, Any], tiny: Path, whole: Path, steps: int) -> Figures:
    """The figures of a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        try:
            return process.submit(measured, options, tiny, whole, steps).result()
        except BrokenProcessPool:
            return Figures(failed="its process died: memory, most likely")
        except Exception as error:
            return Figures(failed=reason(error))


def measured(options: dict[str, Any], tiny: Path, whole: Path, steps: int) -> Figures:
    """The figures of this process."""
    team = open_team()  # as the program does
    if MOVED in options:
        options = {name: value for name, value in options.items() if name != MOVED}
        tilts = len(tomoinr.TiltSeries.load(tiny).angles)
        options["start"] = true_poses(tilts, SHIFT, TURN, torch.Generator().manual_seed(SEED))
    tomoinr.reconstruct(tomoinr.TiltSeries.load(tiny), steps=steps, team=team, **options)
    before, begun = memory("VmRSS"), time.perf_counter()
    tomoinr.reconstruct(tomoinr.TiltSeries.load(whole), steps=steps, team=team, **options)
    return Figures(memory("VmHWM") - before, time.perf_counter() - begun)


def told(name: str, figures: Figures, least: float) -> str:
    if figures.failed:
        return f"{name:16} failed: {figures.failed}"
    ratio = figures.peak / least
    verdict = "" if ratio <= AIM else f"  above {AIM}"
    return f"{name:16}{figures.peak:8.0f}{ratio:8.2f}{figures.seconds:8.1f}{verdict}"


if __name__ == "__main__":
    try:
        main()
    except tomoinr.TomoinrError as error:
        sys.exit(str(error))
