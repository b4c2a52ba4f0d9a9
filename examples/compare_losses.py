"""What a residual should cost: the joint solver's losses at several doses, without and with strays.

After arXiv 2512.08113, whose code (quantEM) lets one choose among losses. Ours are squares; squares
that turn into straight lines; minus the log-likelihood of counts; and Huber's cost of residuals in
standard errors. Strays are single pixels far too bright, as X-rays leave them on a camera. Phantom,
doses and strays are this script's own: compare with the paper in kind. The network is a quarter as
wide as the paper's and takes minutes; `--paper` takes the paper's network, rays and optimiser.

Writes losses.png and losses.csv.
"""

import argparse
import csv
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tomoinr
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.metrics import score
from tomoinr.pictures import richest
from tomoinr_inr.hsiren import PAPER, PAPER_TRAINING

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--phantom", default="nanoparticles", help="or core_shell, dendrite, …")
parser.add_argument("--size", type=int, default=32, help="voxels of the specimen's edges")
parser.add_argument("--steps", type=int, default=250, help="of the joint solver")
parser.add_argument("--paper", action="store_true", help="its network and recipe: for a GPU")
parser.add_argument("--quick", action="store_true", help="one dose, few steps: does it run?")
parser.add_argument("--out", type=Path, default=Path("compare-losses"), help="folder")
args = parser.parse_args()

LOSSES = ("l2", "smooth-l1", "poisson", "huber")
DOSES = (1, 5, 30) if not args.quick else (10,)
STRAYS = {"no strays": 0.0, "0.5 % strays": 0.005}
VOLUME, SOLVER, PARTS = {"name": "hsiren"}, {"name": "joint", "steps": args.steps}, {}
if args.paper:
    VOLUME, SOLVER = VOLUME | PAPER, SOLVER | PAPER_TRAINING
    PARTS = {"projector": "quadrature", "priors": []}
if args.quick:
    SOLVER["steps"] = 2


def take(dose, part):
    """A tilt series, part of whose pixels are some times brighter than all that is meant to be."""
    acquisition = Acquisition(tuple(range(-60, 61, 3)), dose=dose, oversample=3)
    taken = simulate(args.phantom, (args.size,) * 3, acquisition, seed=0)
    rng, images = np.random.default_rng(0), taken.images.copy()
    struck = rng.random(images.shape) < part
    images[struck] += images.max() * rng.uniform(1, 5, struck.sum()).astype(images.dtype)
    return tomoinr.TiltSeries(images, taken.angles), taken.truth


def measure(series, truth, loss):
    """The volume and its figures."""
    begun = time.perf_counter()
    parts = PARTS | {"volume": VOLUME, "solver": SOLVER | {"loss": loss}, "poses": "fixed"}
    voxels = tomoinr.reconstruct(series, **parts).voxels
    seconds = time.perf_counter() - begun
    figures = score(voxels, truth)._asdict() | {"seconds": seconds}
    return voxels, {name: round(value, 4) for name, value in figures.items()}


results = {}
for strays, part in STRAYS.items():
    for dose in DOSES:
        series, truth = take(dose, part)
        for loss in LOSSES:
            voxels, figures = results[strays, dose, loss] = measure(series, truth, loss)
            print(f"{strays}, {dose} counts, {loss:9} {figures}", flush=True)
args.out.mkdir(parents=True, exist_ok=True)

rows = [
    {"strays": STRAYS[strays], "dose": dose, "loss": loss} | figures
    for (strays, dose, loss), (_, figures) in results.items()
]
with (args.out / "losses.csv").open("w", newline="") as file:
    writer = csv.DictWriter(file, rows[0])
    writer.writeheader()
    writer.writerows(rows)

figure = plt.figure(figsize=(11, 9), layout="constrained")
above, below = figure.subfigures(2, 1, height_ratios=(1, 1.25))
panels = above.subplots(1, len(STRAYS), sharey=True)
for axes, strays in zip(panels, STRAYS, strict=True):
    for loss, marker in zip(LOSSES, "sDo^", strict=True):
        line = [results[strays, dose, loss][1]["ssim"] for dose in DOSES]
        axes.plot(DOSES, line, marker=marker, label=loss)
    axes.set_xscale("log")
    axes.set_xticks(DOSES, map(str, DOSES), minor=False)
    axes.minorticks_off()
    axes.set_title(strays)
    axes.set_xlabel("counts a pixel")
    axes.set_ylabel("SSIM")
    axes.label_outer()
    axes.grid(alpha=0.3)
panels[0].legend()

dose = DOSES[len(DOSES) // 2]
below.suptitle(f"{dose} counts a pixel: a slice across the tilt axis, x–z")
index, (low, high) = richest(truth, 0), np.percentile(truth, (0.5, 99.8))
for line, strays in zip(below.subplots(len(STRAYS), 1 + len(LOSSES)), STRAYS, strict=True):
    found = {loss: results[strays, dose, loss] for loss in LOSSES}
    shown = {"truth": truth} | {loss: voxels for loss, (voxels, _) in found.items()}
    for axes, (title, voxels) in zip(line, shown.items(), strict=True):
        axes.imshow(voxels[index], cmap="gray", vmin=low, vmax=high, origin="lower")
        ssim = f"\nSSIM {found[title][1]['ssim']:.3f}" if title in found else ""
        axes.set_title(title + ssim, fontsize=9)
        axes.set_xticks([])
        axes.set_yticks([])
    line[0].set_ylabel(strays)
figure.savefig(args.out / "losses.png", dpi=110)
print(f"wrote losses.png and losses.csv in {args.out}")
