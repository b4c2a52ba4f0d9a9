"""What a wider missing wedge, fewer tilts and a lower dose cost, for SIRT, TV, a network and auto.

After arXiv 2512.08113, whose summary says that its H-SIREN beats SIRT most of all with wide wedges,
coarse tilts and low doses. Phantom and values are this script's own: compare the curves with the
paper's in kind, not point by point. The network is a quarter as wide as the paper's and takes
minutes by our joint solver; `--paper` takes the paper's network, rays and optimiser.

Writes wedge_and_dose.png and wedge_and_dose.csv.
"""

import argparse
import csv
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tomoinr
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.fsc import fsc
from tomoinr.metrics import score
from tomoinr.pictures import richest
from tomoinr_inr.hsiren import PAPER, PAPER_TRAINING

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--phantom", default="nanoparticles", help="or core_shell, dendrite, …")
parser.add_argument("--size", type=int, default=32, help="voxels of the specimen's edges")
parser.add_argument("--steps", type=int, default=400, help="of the network")
parser.add_argument("--paper", action="store_true", help="its network and recipe: for a GPU")
parser.add_argument("--quick", action="store_true", help="few values and steps: does it run?")
parser.add_argument("--out", type=Path, default=Path("sweep-wedge-and-dose"), help="folder")
args = parser.parse_args()

# From the hardest to the easiest; one varies, the others stay at the centre.
SWEEPS = {"reach": (30, 45, 60, 75), "step": (24, 12, 6, 3), "dose": (1, 3, 10, 30)}
CENTRE = {"reach": 60, "step": 3, "dose": 30}
AXES = {"reach": "tilt range, ±°", "step": "tilt step, °", "dose": "counts a pixel"}
WORDS = {"reach": "±{:g}°", "step": "every {:g}°", "dose": "dose {:g}"}
NETWORK = {"volume": "hsiren"}
if args.paper:
    NETWORK = {
        "volume": {"name": "hsiren", **PAPER},
        "projector": "quadrature",
        "solver": {"name": "joint", **PAPER_TRAINING},
        "priors": [],
    }
METHODS = {
    "SIRT": {"solver": "sirt"},
    "TV": {"solver": "tv"},
    "H-SIREN": {**NETWORK, "poses": "fixed", "steps": args.steps},
    "auto": {"poses": "fixed"},
}
if args.quick:
    SWEEPS = {name: values[:1] for name, values in SWEEPS.items()}
    METHODS["H-SIREN"]["steps"] = 2
    METHODS["auto"]["quality"] = "fast"


def take(reach, step, dose):
    """A tilt series; the dose is that of a pixel of one image, so more tilts are more electrons."""
    angles = tuple(np.arange(-reach, reach + step / 2, step))
    acquisition = Acquisition(angles, dose=dose, oversample=3)
    return simulate(args.phantom, (args.size,) * 3, acquisition, seed=0)


def measure(setting):
    """The truth, and every method's volume and figures."""
    taken, found = take(**setting), {}
    for method, parts in METHODS.items():
        begun = time.perf_counter()
        voxels = tomoinr.reconstruct(taken.series(), **parts).voxels
        seconds = time.perf_counter() - begun
        ssim, psnr = score(voxels, taken.truth)
        wedge = fsc(voxels, taken.truth, taken.angles).means(2 / 3)[1]
        figures = {"ssim": ssim, "psnr": psnr, "wedge_fsc": wedge, "seconds": seconds}
        found[method] = voxels, {name: round(value, 4) for name, value in figures.items()}
        told = f"SSIM {ssim:.3f}, {psnr:.1f} dB, FSC in the wedge {wedge:.3f}, {seconds:.1f} s"
        print(f"{setting} {method:8} {told}", flush=True)
    return taken.truth, found


settings = [CENTRE | {name: value} for name, values in SWEEPS.items() for value in values]
unique = {tuple(setting.values()): setting for setting in settings}
results = {key: measure(setting) for key, setting in unique.items()}
args.out.mkdir(parents=True, exist_ok=True)

rows = [
    setting | {"method": method} | figures
    for key, setting in unique.items()
    for method, (_, figures) in results[key][1].items()
]
with (args.out / "wedge_and_dose.csv").open("w", newline="") as file:
    writer = csv.DictWriter(file, rows[0])
    writer.writeheader()
    writer.writerows(rows)

figure = plt.figure(figsize=(11, 14), layout="constrained")
above, below = figure.subfigures(2, 1, height_ratios=(1, 1.35))
curves = above.subplots(2, len(SWEEPS), sharey="row", sharex="col")
for column, (name, values) in enumerate(SWEEPS.items()):
    keys = [tuple((CENTRE | {name: value}).values()) for value in values]
    for row, (figure_name, label) in enumerate(
        {"ssim": "SSIM", "wedge_fsc": "FSC in the wedge"}.items()
    ):
        axes = curves[row][column]
        for method, marker in zip(METHODS, "sDo^", strict=True):
            line = [results[key][1][method][1][figure_name] for key in keys]
            axes.plot(range(len(values)), line, marker=marker, label=method)
        axes.set_xticks(range(len(values)), [f"{value:g}" for value in values])
        axes.grid(alpha=0.3)
        curves[row][0].set_ylabel(label)
    curves[-1][column].set_xlabel(AXES[name])
curves[0][0].legend()
rest = ", ".join(WORDS[name].format(value) for name, value in CENTRE.items())
above.suptitle(f"{args.phantom}, {args.size}³ voxels: one varies, the others stay ({rest})")

below.suptitle("The hardest of each: a slice across the tilt axis, x–z")
panels = below.subplots(len(SWEEPS), 1 + len(METHODS))
for line, (name, values) in zip(panels, SWEEPS.items(), strict=True):
    truth, found = results[tuple((CENTRE | {name: values[0]}).values())]
    index, (low, high) = richest(truth, 0), np.percentile(truth, (0.5, 99.8))
    shown = {"truth": truth} | {method: voxels for method, (voxels, _) in found.items()}
    for axes, (title, voxels) in zip(line, shown.items(), strict=True):
        axes.imshow(voxels[index], cmap="gray", vmin=low, vmax=high, origin="lower")
        ssim = f"\nSSIM {found[title][1]['ssim']:.3f}" if title in found else ""
        axes.set_title(title + ssim, fontsize=9)
        axes.set_xticks([])
        axes.set_yticks([])
    line[0].set_ylabel(WORDS[name].format(values[0]))
figure.savefig(args.out / "wedge_and_dose.png", dpi=110)
print(f"wrote wedge_and_dose.png and wedge_and_dose.csv in {args.out}")
