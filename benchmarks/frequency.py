"""Which frequency should a network have, and do images held out know it?

The SIREN as it comes and with other first-layer frequencies ω, on true poses: SSIM to the truth,
and the choice of `tomoinr.trust.choose`, which knows the images alone and keeps the default unless
it is clearly beaten.

OMP_NUM_THREADS=1 python benchmarks/frequency.py
OMP_NUM_THREADS=1 python benchmarks/frequency.py --size 48 --omegas 10 20 30 --doses 20
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch

import tomoinr
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.metrics import score
from tomoinr.trust import choose

PHANTOMS = ("nanoparticles", "core_shell", "dendrite", "ellipsoids")
DEFAULT = "default"


def main() -> None:
    args = arguments()
    torch.set_num_threads(1)
    runs = {DEFAULT: volume({})} | {f"{w:g}": volume({"omega": w}) for w in args.omegas}
    print(f"{args.size}³, 41 images, quality {args.quality}; SSIM by ω, chosen*")
    print(f"{'phantom':14}{'dose':>6}" + "".join(f"{name:>10}" for name in runs) + f"{'lost':>9}")
    for phantom in args.phantoms:
        for dose in args.doses:
            acquisition = Acquisition(tuple(np.linspace(-60, 60, 41)), dose=dose)
            made = simulate(phantom, (args.size,) * 3, acquisition, args.seed)
            series = made.series()
            start = tomoinr.Poses.of(series.angles.float())
            found = {
                name: score(
                    tomoinr.reconstruct(
                        series, quality=args.quality, start=start, poses="fixed", **run
                    ).voxels,
                    made.truth,
                ).ssim
                for name, run in runs.items()
            }
            chosen = choose(series, runs, start, args.quality).name
            cells = (f"{ssim:.4f}{'*' * (n == chosen):1}" for n, ssim in found.items())
            lost = max(found.values()) - found[chosen]
            row = "".join(f"{cell:>10}" for cell in cells)
            print(f"{phantom:14}{dose:6g}{row}{lost:9.4f}", flush=True)


def volume(options: dict[str, float]) -> dict[str, Any]:
    """For `reconstruct`."""
    return {"volume": {"name": "siren", **options}}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--phantoms", nargs="+", default=PHANTOMS, choices=PHANTOMS)
    add("--doses", nargs="+", type=float, default=[20.0, np.inf], help="mean counts per pixel")
    add("--omegas", nargs="+", type=float, default=[10.0, 20.0, 40.0])
    add("--size", type=int, default=24)
    add("--quality", default="fast")
    add("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
