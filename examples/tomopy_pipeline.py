"""A TomoPy pipeline, and the same one with tomoinr as its algorithm, on images that have moved."""

import argparse
import warnings

import numpy as np

import tomoinr_tomopy
from tomoinr import TomoinrError
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.metrics import score
from tomoinr_tomopy.library import load

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--size", type=int, default=32, help="voxels of the specimen's edges")
parser.add_argument("--steps", type=int, default=200, help="of the automatic solver")
args = parser.parse_args()


def before(tomopy, proj, theta):
    """Align by re-projection, then SIRT."""
    # TomoPy scales the images that it is given, in place: it gets a copy.
    with warnings.catch_warnings(action="ignore"):
        proj, sx, sy, _ = tomopy.align_joint(proj.copy(), theta, iters=10, debug=False)
    proj = tomopy.shift_images(proj, sx, sy)
    return tomopy.recon(proj, theta, algorithm="sirt", num_iter=50)


def between(tomopy, proj, theta):
    """The same, with a solver of tomoinr in both places."""
    solver = tomoinr_tomopy.Algorithm(solver="tv", steps=20)
    with warnings.catch_warnings(action="ignore"):
        proj, sx, sy, _ = tomopy.align_joint(
            proj.copy(), theta, iters=10, algorithm=solver, debug=False
        )
    proj = tomopy.shift_images(proj, sx, sy)
    return tomopy.recon(proj, theta, algorithm=tomoinr_tomopy.tv, num_iter=100)


def after(tomopy, proj, theta):
    """The volume and the poses at once, from the images as they are."""
    results = []
    options = {"steps": args.steps, "seed": 0, "found": results.append}
    volume = tomopy.recon(proj, theta, algorithm=tomoinr_tomopy.inr, options=options)
    dx, dy = results[0].poses.shift.abs().amax(0).tolist()
    print(f"images were moved by at most {dx:.2f} px along rows and {dy:.2f} px along columns")
    return volume


def main():
    """Take a series, and try all three on it."""
    try:
        tomopy = load()
    except TomoinrError as missing:
        print(missing)  # how to install it
        return
    taken = simulate(
        "nanoparticles", (args.size,) * 3, Acquisition(tuple(range(-70, 71, 3)), 50, shift=1), 0
    )
    proj, theta = taken.images.astype(np.float32), np.deg2rad(taken.angles)
    for pipeline in (before, between, after):
        volume = pipeline(tomopy, proj, theta)
        ssim, psnr = score(volume, taken.truth)
        print(f"{pipeline.__name__}: SSIM {ssim:.3f}, PSNR {psnr:.1f} dB")


main()
