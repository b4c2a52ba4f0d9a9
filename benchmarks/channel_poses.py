"""How well are shifts found from one channel, and from several together?

Simulated: three detectors of equal counts that see one specimen of iron, cobalt and carbon, images
shifted by 1.5 px (rms). All alike, or cobalt in pixels twice as large and iron at every other tilt.

    python benchmarks/channel_poses.py --dose 3
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

import numpy as np

import tomoinr
from tomoinr.builtin.elements import Counted, counted, shifts
from tomoinr.io import gather
from tomoinr.metrics import unseen_removed

ANGLES = tuple(range(-60, 61, 3))
NAMES = ("HAADF", "Co", "Fe")
CHOICES = (*((name,) for name in NAMES), ("HAADF", "Co"), NAMES)
SHIFT = 1.5  # pixels, rms
# What comes after the poses is of no interest here.
SOLVER = {"name": "fused", "iterations": 1, "caution": 1.0, "sums": False, "joint": "no"}


def arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=32, help="voxels along each edge")
    parser.add_argument("--dose", type=float, default=3.0, help="counts a pixel of every detector")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(given)


def error(data: Mapping[str, Counted], names: Sequence[str], seed: int) -> tuple[float, float]:
    """Of dx and dy over all tilts, rms, less what moving the specimen explains; pixels."""
    parts = {name: one.series for name, one in data.items()}
    series = gather(parts, poses_from=names)
    result = tomoinr.reconstruct(series, solver=SOLVER)
    order = [ANGLES.index(round(float(angle))) for angle in series.angles]
    off = result.poses.shift.numpy() - shifts(ANGLES, seed, SHIFT)[:, order].T
    left = unseen_removed(*off.T, np.array(ANGLES, float)[order])
    dx, dy = (float(np.sqrt(np.mean(np.square(one)))) for one in left)
    return dx, dy


def main(given: list[str] | None = None) -> None:
    args = arguments(given)
    doses = dict.fromkeys(NAMES, args.dose)
    uneven = {"coarser": {"Co": 2}, "fewer": {"Fe": 2}}
    for title, how in {"all alike": {}, "Co coarser, Fe at fewer tilts": uneven}.items():
        data = counted(args.size, args.seed, ANGLES, doses, shift=SHIFT, **how)
        print(f"{title}: rms of dx and dy, px")
        for names in CHOICES:
            if how and names == ("Fe",):
                continue  # it lacks half of the images
            dx, dy = error(data, names, args.seed)
            print(f"  {' + '.join(names):18s} {dx:.3f} {dy:.3f}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except tomoinr.TomoinrError as error_:
        sys.exit(str(error_))
