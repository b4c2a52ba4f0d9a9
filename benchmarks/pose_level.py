"""Which poses does the automatic solver learn, and does it do right?

Phantoms in true poses; moved; moved and turned; and with wrong tilt angles besides. Each is
reconstructed as it comes, where the images decide on the tilts, and with tilts never and always
corrected. Errors are rms, less what moving and turning the specimen explains.

OMP_NUM_THREADS=1 python benchmarks/pose_level.py
OMP_NUM_THREADS=1 python benchmarks/pose_level.py --size 64 --quality default --tilts 0.3 1
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import numpy as np
import torch

import tomoinr
from tomoinr.builtin.simulate import Acquisition, Simulated, simulate
from tomoinr.metrics import pose_errors, score
from tomoinr.plugins import Plugins

PHANTOMS = ("nanoparticles", "core_shell", "dendrite", "ellipsoids")
MOVED = {"right": (0.0, 0.0), "moved": (2.0, 0.0), "turned": (2.0, 1.5)}  # pixels, degrees
ROUGH = "rough alignment"  # what all the others begin with
LEVELS: dict[str, dict[str, bool]] = {
    ROUGH: {},
    "as images say": {},
    "never": {"tilt": False},
    "always": {"tilt": True},
}


def main() -> None:
    args = arguments()
    torch.set_num_threads(1)
    print(f"{args.size}³, 41 images, quality {args.quality}; tomoinr {tomoinr.__version__}")
    print(
        f"{'phantom':14}{'dose':>5} {'poses':10}{'tilts corrected':18}{'SSIM':>7}{'dx':>7}{'dy':>7}"
        f"{'turn':>7}{'tilt':>7}{'s':>6}"
    )
    for phantom in args.phantoms:
        for dose in args.doses:
            for name, off in conditions(args.tilts):
                acquisition = Acquisition(tuple(np.linspace(-60, 60, 41)), dose=dose, **off)
                made = simulate(phantom, (args.size,) * 3, acquisition, args.seed)
                for level in args.levels:
                    print(f"{phantom:14}{dose:5g} {name:10}{level:18}", end="")
                    print(told(made, args.quality, level), flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--phantoms", nargs="+", default=PHANTOMS, choices=PHANTOMS)
    add("--doses", nargs="+", type=float, default=[30.0], help="mean counts per pixel")
    add("--tilts", nargs="+", type=float, default=[0.3, 0.7], help="rms errors, degrees")
    add("--levels", nargs="+", default=list(LEVELS), choices=LEVELS)
    add("--size", type=int, default=48)
    add("--quality", default="fast")
    add("--seed", type=int, default=0)
    return parser.parse_args()


def conditions(tilts: list[float]) -> Iterator[tuple[str, dict[str, float]]]:
    """Names, and what is wrong with the poses."""
    for name, (shift, rotation) in MOVED.items():
        yield name, {"shift": shift, "rotation": rotation}
    shift, rotation = MOVED["turned"]
    for error in tilts:
        yield f"tilt {error:g}°", {"shift": shift, "rotation": rotation, "tilt_error": error}


def told(made: Simulated, quality: str, level: str) -> str:
    """Quality, errors, seconds, and what the images said."""
    begun, similar, said = time.process_time(), "", ""
    if level == ROUGH:
        poses = Plugins().align(made.series()).poses
    else:
        model = {"name": "rigid", **LEVELS[level]}
        found = tomoinr.reconstruct(made.series(), poses=model, quality=quality)
        poses, similar = found.poses, f"{score(found.voxels, made.truth).ssim:.4f}"
        said = "".join(n.rpartition("better")[2] for n in found.notes if n.startswith("tilt ang"))
    seconds = time.process_time() - begun
    wrong = pose_errors(poses, made.dx, made.dy, made.phi, made.angles)
    tilts = np.asarray(poses.angles().tilt) - made.tilt
    errors = "".join(f"{error:7.3f}" for error in (*wrong, tilts.std()))
    return f"{similar:>7}{errors}{seconds:6.1f}{said}"


if __name__ == "__main__":
    main()
