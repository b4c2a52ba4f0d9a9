"""Which frequency should a network have? What images show of themselves, and images held out.

The SIREN with the first-layer frequency ω that it finds from the images' mean frequency f (cycles
per half box), and with others, on true poses: SSIM to the truth, the mean of `--starts` networks.
With `--race`, also the choice of `tomoinr.trust.choose`, which knows the images alone and keeps the
automatic ω unless it is clearly beaten, and what it loses to the best.

OMP_NUM_THREADS=1 python benchmarks/frequency.py --starts 3
OMP_NUM_THREADS=1 python benchmarks/frequency.py --size 44 --omegas 10 15 22 30 --race
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch

import tomoinr
from tomoinr.builtin.phantoms import PHANTOMS
from tomoinr.builtin.simulate import Acquisition, Simulated, simulate
from tomoinr.metrics import score
from tomoinr.trust import choose
from tomoinr_inr.detail import fineness, suitable

USUAL = ("nanoparticles", "core_shell", "dendrite", "ellipsoids")
AUTOMATIC = "automatic"


def main() -> None:
    args = arguments()
    torch.set_num_threads(1)
    runs = {AUTOMATIC: volume({})} | {f"{w:g}": volume({"omega": w}) for w in args.omegas}
    print(f"{args.size}³, 41 images, quality {args.quality}; SSIM by ω, means of {args.starts}")
    last = f"{'chosen':>11}{'lost':>9}" if args.race else ""
    print(f"{'phantom':14}{'dose':>6}{'f':>6}{'ω':>5}" + "".join(f"{n:>11}" for n in runs) + last)
    for phantom in args.phantoms:
        for dose in args.doses:
            acquisition = Acquisition(tuple(np.linspace(-60, 60, 41)), dose=dose)
            made = simulate(phantom, (args.size,) * 3, acquisition, args.seed)
            series = made.series()
            found = {name: similar(made, run, args) for name, run in runs.items()}
            f = fineness(series, series.grid())
            row = f"{phantom:14}{dose:6g}{f:6.2f}{suitable(f):5g}"
            row += "".join(f"{ssim:11.4f}" for ssim in found.values())
            if args.race:
                chosen = choose(series, runs, recorded(series), args.quality).name
                row += f"{chosen:>11}{max(found.values()) - found[chosen]:9.4f}"
            print(row, flush=True)


def similar(made: Simulated, run: dict[str, Any], args: argparse.Namespace) -> float:
    """Mean SSIM of what so many networks make of the images."""
    series, shared = made.series(), {"quality": args.quality, "poses": "fixed"}
    start = recorded(series)
    volumes = (
        tomoinr.reconstruct(series, start=start, seed=seed, **shared, **run).voxels
        for seed in range(args.starts)
    )
    return float(np.mean([score(voxels, made.truth).ssim for voxels in volumes]))


def recorded(series: tomoinr.TiltSeries) -> tomoinr.Poses:
    """The true poses, here."""
    return tomoinr.Poses.of(series.angles.float())


def volume(options: dict[str, float]) -> dict[str, Any]:
    """For `reconstruct`."""
    return {"volume": {"name": "siren", **options}}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--phantoms", nargs="+", default=USUAL, choices=PHANTOMS)
    add("--doses", nargs="+", type=float, default=[10.0, np.inf], help="mean counts per pixel")
    add("--omegas", nargs="+", type=float, default=[15.0])
    add("--size", type=int, default=24)
    add("--quality", default="fast")
    add("--seed", type=int, default=0, help="of phantom and noise")
    add("--starts", type=int, default=1, help="networks that start from other weights")
    add("--race", action="store_true", help="also what images held out choose")
    return parser.parse_args()


if __name__ == "__main__":
    main()
