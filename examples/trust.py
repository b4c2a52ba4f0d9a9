"""Reconstruct a simulated tilt series, ask how far to believe it, and compare with the truth."""

import argparse
from pathlib import Path

import numpy as np

import tomoinr
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.trust import assess, save

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--size", type=int, default=32, help="voxels of the box's edges")
parser.add_argument("--dose", type=float, default=5, help="mean counts per pixel")
parser.add_argument("--steps", type=int, help="of the solver; none: as many as it likes")
parser.add_argument("--members", type=int, default=4, help="reconstructions of the ensemble")
parser.add_argument("--out", type=Path, default=Path("trust-out"), help="folder")
args = parser.parse_args()

acquisition = Acquisition(angles=tuple(range(-60, 61, 3)), dose=args.dose)
taken = simulate("nanoparticles", (args.size,) * 3, acquisition, seed=0)
result = tomoinr.reconstruct(taken.series(), poses="fixed", quality="fast", steps=args.steps)

trust = assess(result, full=True, members=args.members)
print(trust)
save(args.out, trust, result, force=True)  # trust.json, uncertainty.mrc

error, expected = np.abs(result.voxels - taken.truth), trust.uncertainty.voxels
specimen = taken.truth > 0.05
for name, where in (("all voxels", specimen | True), ("the specimen", specimen)):
    within = np.mean(error[where] < 2 * expected[where])
    print(f"in {name}, {within:.0%} of the errors are below twice what was expected")
