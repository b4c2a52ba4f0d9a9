"""Two specimens that no tilt series within ±60° can tell apart, and what becomes of them.

One is a soft cloud with a particle above it, the other the same cloud made of layers that lie
across the beam. Layers that lie so and fade out gently are all in the missing wedge: the images are
equal, and so a method cannot but find the same volume for both. That it is sharp, clean and the
same in both halves of the images does not make it true.

Writes what_the_wedge_hides.png.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

import tomoinr
from tomoinr.builtin.simulate import expose
from tomoinr.metrics import score
from tomoinr.trust import halves

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--size", type=int, default=48, help="voxels of the box's edges")
parser.add_argument("--dose", type=float, default=200, help="mean counts per pixel")
parser.add_argument("--steps", type=int, help="of the solver; none: as many as it likes")
parser.add_argument("--out", type=Path, default=Path("wedge-out"), help="folder")
args = parser.parse_args()

TILTS = np.arange(-60.0, 61, 3)
FINE = 2  # voxels along a pixel's edge, so that images are no product of our own lattice
WIDTH, PERIOD = 0.28, 0.2  # of the cloud and of its layers, in half boxes


def specimens():
    """The plain cloud and the layered one [y, z, x], drawn finer than the images."""
    line = (np.arange(FINE * args.size) + 0.5) / (FINE * args.size) * 2 - 1
    y, z, x = np.meshgrid(line, line, line, indexing="ij", sparse=True)
    cloud = 0.5 * np.exp(-(x**2 + y**2 + z**2) / (2 * WIDTH**2))
    ball = 1.0 * (x**2 + y**2 + (z - 0.75) ** 2 < 0.13**2)
    layers = 1 + np.cos(2 * np.pi * z / PERIOD)
    return (cloud + ball).astype("f4"), (cloud * layers + ball).astype("f4")


def take(fine, seed):
    """The images without noise, and a tilt series with it."""
    still = np.zeros(len(TILTS))
    clean = expose(fine, TILTS, still, still, still, FINE)
    rate = args.dose / clean.mean()
    counted = np.random.default_rng(seed).poisson(clean * rate) / rate
    series = tomoinr.TiltSeries(torch.from_numpy(counted.astype("f4")), TILTS)
    return clean, series, np.sqrt(clean.mean() / rate)


def rms(values):
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


truths, images, found, agreed = [], [], [], []
for seed, fine in enumerate(specimens()):
    clean, series, noise = take(fine, seed)
    result = tomoinr.reconstruct(series, poses="fixed", quality="fast", steps=args.steps)
    truths.append(fine.reshape(args.size, FINE, args.size, FINE, args.size, FINE).mean((1, 3, 5)))
    images.append(clean)
    found.append(result.voxels)
    agreed.append(halves(result, "fast").curves.means(0.5)[1])  # up to half of Nyquist

print(f"images of the two differ by {rms(images[0] - images[1]) / noise:.4f} of their noise")
print(f"specimens differ by {rms(truths[0] - truths[1]) / rms(truths[0]):.2f} of their size (rms)")
print(f"volumes found differ by {rms(found[0] - found[1]) / rms(found[0]):.2f}")
for name, truth, voxels, agree in zip(("plain", "layered"), truths, found, agreed, strict=True):
    ssim, psnr = score(voxels, truth)
    print(
        f"{name}: SSIM {ssim:.3f}, {psnr:.1f} dB; in the wedge, halves of the images agree to "
        f"{agree:.2f} on average"
    )

args.out.mkdir(parents=True, exist_ok=True)
figure, panels = plt.subplots(2, 3, figsize=(8.4, 5.9), layout="constrained")
columns = (("the specimen", truths), ("its image at 0°", images), ("what is found", found))
for row, name in enumerate(("plain", "layered")):
    for axes, (title, shown) in zip(panels[row], columns, strict=True):
        flat = len(TILTS) // 2 if shown is images else args.size // 2
        axes.imshow(shown[row][flat], cmap="gray", origin="lower", vmin=0, vmax=shown[0].max())
        axes.set(xticks=[], yticks=[], title=title if row == 0 else "")
        axes.set_xlabel("x")
        axes.set_ylabel("y" if shown is images else "z, the beam")
    panels[row][0].set_ylabel(f"{name}\nz, the beam")
figure.savefig(args.out / "what_the_wedge_hides.png", dpi=110)
print(f"wrote what_the_wedge_hides.png in {args.out}")
