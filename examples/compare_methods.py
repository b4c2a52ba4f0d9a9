"""Reconstruct one simulated series with several methods, and score each against the truth.

The classical methods take the images as they are; only the joint solver also aligns them. The last
line is fair to SIRT: it starts from the poses that the joint solver found.
"""

import argparse
import time
from pathlib import Path

import tomoinr
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.metrics import score
from tomoinr.pictures import compare

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--phantom", default="nanoparticles", help="or core_shell, dendrite, …")
parser.add_argument("--size", type=int, default=32, help="voxels of the specimen's edges")
parser.add_argument("--dose", type=float, default=50, help="mean counts per pixel")
parser.add_argument("--shift", type=float, default=1, help="rms shift of the images, pixels")
parser.add_argument("--steps", type=int, default=200, help="of the joint solver")
parser.add_argument("--out", type=Path, default=Path("comparison.png"), help="the picture")
args = parser.parse_args()

METHODS = {
    "fbp": {"solver": "fbp"},
    "sirt": {"solver": "sirt"},
    "tv": {"solver": "tv"},
    "joint": {"solver": "joint", "steps": args.steps},
    "sirt, aligned": {"solver": "sirt"},
}

acquisition = Acquisition(tuple(range(-60, 61, 3)), dose=args.dose, shift=args.shift)
taken = simulate(args.phantom, (args.size,) * 3, acquisition, seed=0)

volumes, captions, start = {"truth": taken.truth}, {}, None
for name, parts in METHODS.items():
    begun = time.perf_counter()
    result = tomoinr.reconstruct(taken.series(), start=start, **parts)
    volumes[name] = result.voxels
    start = result.poses if name == "joint" else start
    seconds = time.perf_counter() - begun
    ssim, psnr = score(volumes[name], taken.truth)
    captions[name] = f"SSIM {ssim:.3f}, {psnr:.1f} dB"
    print(f"{name:13} {captions[name]}, {seconds:.1f} s", flush=True)

compare(volumes, args.out, captions)
print(f"wrote {args.out}")
