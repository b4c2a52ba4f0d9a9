"""Load a tilt series (or simulate one), reconstruct it, save the result and a picture of it."""

import argparse
from pathlib import Path

import tomoinr
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.pictures import compare

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("stack", nargs="?", help="a file some reader knows; none: simulate one")
parser.add_argument("--angles", help='a file, or "-60:60:3"; none: found beside the stack')
parser.add_argument("--size", type=int, default=32, help="voxels of the simulation's edges")
parser.add_argument("--steps", type=int, default=200, help="of the joint solver")
parser.add_argument("--out", type=Path, default=Path("reconstruct-out"), help="folder")
args = parser.parse_args()

if args.stack:
    series = tomoinr.TiltSeries.load(args.stack, args.angles)
else:
    acquisition = Acquisition(angles=tuple(range(-60, 61, 3)), dose=50, shift=1)
    series = simulate("nanoparticles", (args.size,) * 3, acquisition, seed=0).series()

result = tomoinr.reconstruct(series, steps=args.steps, seed=0)

result.save(args.out, force=True)  # the volume, and what explains it
compare({"tomoinr": result.voxels}, args.out / "slices.png", captions={})

dx, dy = (float(shift.abs().max()) for shift in result.poses.shift.T)
print(f"voxels {result.voxels.shape} [y, z, x]; last loss {result.history[-1].loss:.4g}")
print(f"the images were moved by at most {dx:.2f} Å along x and {dy:.2f} Å along y")
print(f"wrote volume.mrc, what explains it, and slices.png in {args.out}")
