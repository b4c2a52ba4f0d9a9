"""HAADF and EDS maps of one specimen, reconstructed together; a picture with a colour overlay.

Iron is mapped at every second tilt, cobalt in pixels twice as large: each as it was recorded.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

import tomoinr
from tomoinr.builtin.elements import counted
from tomoinr.io import Signal, gather


def middle(voxels):
    """The slice in the middle (z, x), bright voxels of the whole volume one."""
    bright = max(np.quantile(voxels, 0.995), 1e-9)
    return np.clip(voxels[len(voxels) // 2] / bright, 0, 1)


parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--size", type=int, default=48, help="voxels along each edge, an even number")
parser.add_argument("--steps", type=int, help="steps in all, for a quick look")
args = parser.parse_args()

doses = {"HAADF": 100.0, "Fe": 0.6, "Co": 4.0, "C": 0.3}  # mean counts a pixel of each
taken = counted(args.size, 0, np.arange(-60, 61, 3.0), doses, coarser={"Co": 2}, fewer={"Fe": 2})

# With files of your own: {"HAADF": tomoinr.TiltSeries.load("haadf.mrc"), "Fe": …}
parts = {name: one.series for name, one in taken.items()}
maps = {name: Signal(noise="poisson") for name in ("Fe", "Co", "C")}
series = gather(parts, maps, poses_from=["HAADF"])
print(series, *series.notes, sep="\n")

result = tomoinr.reconstruct(series, poses="fixed", steps=args.steps)
print(*result.notes, sep="\n")
for name, voxels in zip(series.channels, result.voxels, strict=True):
    print(f"{name:6s} SSIM {taken[name].score(voxels).ssim:.3f}")
folder = result.save("haadf_eds", force=True)

# Red, green and blue for the elements, HAADF in grey beside them.
grey, *elements = map(middle, result.voxels)
truth = [middle(taken[name].truth) for name in ("Fe", "Co", "C")]
figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.8), layout="constrained")
titles = ("HAADF", "Fe red, Co green, C blue", "the truth")
pictures = (grey, np.stack(elements, axis=-1), np.stack(truth, axis=-1))
for axis, picture, title in zip(axes, pictures, titles, strict=True):
    axis.imshow(picture, cmap="gray", vmin=0, vmax=1, origin="lower")
    axis.set(xticks=[], yticks=[], title=title)
figure.savefig(folder / "overlay.png", dpi=120)
print(f"wrote {folder} with a volume for each channel, and overlay.png")
