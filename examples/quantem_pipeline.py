"""A quantEM pipeline, and the same one with tomoinr as its reconstruction."""

import argparse
import contextlib
import io

import numpy as np
import torch

from tomoinr import TomoinrError, reconstruct
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.metrics import score
from tomoinr_quantem import dataset_of, series_of, volume_of
from tomoinr_quantem.library import part

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--size", type=int, default=32, help="voxels of the specimen's edges")
parser.add_argument("--steps", type=int, default=200, help="of the automatic solver")
args = parser.parse_args()


def before(dataset):
    """quantEM's SIRT; its values are in units of the images as it normalises them."""
    lite = part("tomography.tomography_lite", "TomographyLiteConv")
    angles = torch.from_numpy(dataset.metadata["tilt_angles"]).float()
    with contextlib.redirect_stdout(io.StringIO()):
        model = lite.from_dataset(torch.from_numpy(dataset.array), angles, device="cpu")
        model.verbose = False
        model.reconstruct(num_iter=50)
    return volume_of(model)


def after(dataset):
    """The volume and the poses at once, as a dataset that quantEM shows and saves."""
    result = reconstruct(series_of(dataset), steps=args.steps, seed=0)
    dx, dy = result.poses.shift.abs().amax(0).tolist()
    print(f"images were moved by at most {dx:.2f} px along rows and {dy:.2f} px along columns")
    return volume_of(dataset_of(result))


def main():
    """Take a series as a dataset of quantEM, and try both on it."""
    tilts = np.linspace(-70, 70, min(args.size, 47))  # quantEM takes no more than pixels across
    acquisition = Acquisition(tuple(tilts.tolist()), 50, shift=1)
    taken = simulate("nanoparticles", (args.size,) * 3, acquisition, seed=0)
    try:
        dataset = dataset_of(taken.series())
    except TomoinrError as missing:
        print(missing)  # how to install it
        return
    for pipeline in (before, after):
        volume = pipeline(dataset)
        # Both on one scale: the factor that brings a volume nearest to the truth.
        factor = float((volume * taken.truth).sum() / (volume**2).sum())
        ssim, psnr = score(factor * volume, taken.truth)
        print(f"{pipeline.__name__}: SSIM {ssim:.3f}, PSNR {psnr:.1f} dB")


main()
