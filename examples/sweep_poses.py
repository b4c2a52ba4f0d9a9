"""What misaligned images cost, and how much of it is won back where poses are learned.

After arXiv 2512.08113, whose summary promises alignment inside the reconstruction. Phantom and
errors (shifts, and turns in the plane) are this script's own: compare the curves with the paper's
in kind, not point by point. The network is a quarter as wide as the paper's and takes minutes by
our joint solver; `--paper` takes the paper's network, rays and optimiser.

Writes poses.png and poses.csv.
"""

import argparse
import csv
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

import tomoinr
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.metrics import pose_errors, score, unseen_removed
from tomoinr.pictures import richest
from tomoinr_inr.hsiren import PAPER, PAPER_TRAINING

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--phantom", default="nanoparticles", help="or core_shell, dendrite, …")
parser.add_argument("--size", type=int, default=32, help="voxels of the specimen's edges")
parser.add_argument("--dose", type=float, default=100, help="mean counts per pixel")
parser.add_argument("--steps", type=int, default=400, help="of the network")
parser.add_argument("--paper", action="store_true", help="its network and recipe: for a GPU")
parser.add_argument("--quick", action="store_true", help="one error, few steps: does it run?")
parser.add_argument("--out", type=Path, default=Path("sweep-poses"), help="folder")
args = parser.parse_args()

SHIFTS = (0, 1, 2, 4)  # rms, pixels
TURN = 0.75  # degrees a pixel of shift
SHOWN = 2  # of the shifts, in slices and tilt by tilt
NETWORK = {"volume": "hsiren"}
if args.paper:
    NETWORK = {
        "volume": {"name": "hsiren", **PAPER},
        "projector": "quadrature",
        "solver": {"name": "joint", **PAPER_TRAINING},
        "priors": [],
    }
METHODS = {
    "SIRT, as recorded": {"solver": "sirt"},
    "H-SIREN, as recorded": {**NETWORK, "poses": "fixed", "steps": args.steps},
    "H-SIREN, learned": {**NETWORK, "poses": "rigid", "steps": args.steps},
    "auto, learned": {},
    "auto, true": {"poses": "fixed"},
}
if args.quick:
    SHIFTS = (SHOWN,)
    METHODS["H-SIREN, as recorded"]["steps"] = METHODS["H-SIREN, learned"]["steps"] = 2
    METHODS["auto, learned"]["quality"] = METHODS["auto, true"]["quality"] = "fast"


def take(shift):
    """The same specimen and the same errors but for their size."""
    acquisition = Acquisition(
        tuple(range(-60, 61, 3)),
        dose=args.dose,
        shift=shift,
        rotation=TURN * shift,
        oversample=3,
    )
    return simulate(args.phantom, (args.size,) * 3, acquisition, seed=0)


def true_poses(taken):
    """Those of the simulation; pixels are 1 Å."""
    angles, turns, *shifts = map(torch.from_numpy, (taken.tilt, taken.phi, taken.dx, taken.dy))
    return tomoinr.Poses.of(angles, turns, shift=torch.stack(shifts, dim=1))


def measure(shift):
    """The simulation, and every method's result and figures."""
    taken, found = take(shift), {}
    for method, parts in METHODS.items():
        start = true_poses(taken) if method.endswith("true") else None
        begun = time.perf_counter()
        result = tomoinr.reconstruct(taken.series(), start=start, **parts)
        seconds = time.perf_counter() - begun
        ssim, psnr = score(result.voxels, taken.truth)
        left = pose_errors(result.poses, taken.dx, taken.dy, taken.phi, taken.angles)
        figures = {"ssim": ssim, "psnr": psnr} | left._asdict() | {"seconds": seconds}
        found[method] = result, {name: round(value, 4) for name, value in figures.items()}
        told = f"SSIM {ssim:.3f}, off by {left.dx:.2f}, {left.dy:.2f} px, {left.rotation:.2f}°"
        print(f"{shift:g} px, {method:21} {told}, {seconds:.1f} s", flush=True)
    return taken, found


results = {shift: measure(shift) for shift in SHIFTS}
args.out.mkdir(parents=True, exist_ok=True)

rows = [
    {"shift": shift, "rotation_rms": TURN * shift, "method": method} | figures
    for shift, (_, found) in results.items()
    for method, (_, figures) in found.items()
]
with (args.out / "poses.csv").open("w", newline="") as file:
    writer = csv.DictWriter(file, rows[0])
    writer.writeheader()
    writer.writerows(rows)

figure = plt.figure(figsize=(14, 7.4), layout="constrained")
above, below = figure.subfigures(2, 1, height_ratios=(1.2, 1))
quality, errors, tilts = above.subplots(1, 3)
colours = dict(zip(METHODS, plt.get_cmap("tab10").colors, strict=False))
for method, marker in zip(METHODS, "svDo^", strict=True):
    line = [found[method][1]["ssim"] for _, found in results.values()]
    quality.plot(SHIFTS, line, marker=marker, color=colours[method], label=method)
quality.set_ylabel("SSIM")
quality.legend(fontsize=8)

learned = [method for method in METHODS if method.endswith("learned")]
for method, style in zip(learned, ("--", "-"), strict=True):
    for name, marker in {"dx": "o", "dy": "s", "rotation": "^"}.items():
        line = [found[method][1][name] for _, found in results.values()]
        label = f"{name}{', °' if name == 'rotation' else ', px'} ({method.split(',')[0]})"
        errors.plot(SHIFTS, line, style, marker=marker, color=colours[method], label=label)
before = [shift for shift in SHIFTS if shift]
errors.plot(before, before, "k:", label="dx and dy, px, before")
errors.set_yscale("log")
errors.set_ylabel("rms error left, pixels or degrees")
errors.set_ylim(top=300)  # room for the legend
errors.legend(fontsize=8, loc="upper left", ncols=2)
for axes in (quality, errors):
    axes.set_xticks(SHIFTS)
    axes.set_xlabel(f"rms shift before, pixels; turned by {TURN}° a pixel")
    axes.grid(alpha=0.3)

taken, found = results[SHOWN]
tilts.plot(taken.angles, taken.dx, "k.", zorder=3, label="true")
for method, width in zip(learned, (4, 1.2), strict=True):
    angles = found[method][0].poses.angles()
    # Moving the specimen explains a part of any shift, so that part is no error.
    wrong, _ = unseen_removed(np.asarray(angles.dx) - taken.dx, taken.dy, taken.angles)
    line = taken.dx + wrong
    tilts.plot(taken.angles, line, color=colours[method], linewidth=width, label=method)
tilts.set_xlabel("tilt, °")
tilts.set_ylabel(f"shift along x, pixels ({SHOWN:g} px rms)")
tilts.grid(alpha=0.3)
tilts.margins(y=0.2)
tilts.legend(fontsize=8, loc="upper center", ncols=3)

below.suptitle(f"Images off by {SHOWN:g} px and {TURN * SHOWN:g}° (rms): a slice x–z")
index, (low, high) = richest(taken.truth, 0), np.percentile(taken.truth, (0.5, 99.8))
volumes = {"truth": taken.truth} | {method: result.voxels for method, (result, _) in found.items()}
for axes, (title, voxels) in zip(below.subplots(1, len(volumes)), volumes.items(), strict=True):
    axes.imshow(voxels[index], cmap="gray", vmin=low, vmax=high, origin="lower")
    ssim = f"\nSSIM {found[title][1]['ssim']:.3f}" if title in found else ""
    axes.set_title(title + ssim, fontsize=9)
    axes.set_xticks([])
    axes.set_yticks([])
figure.savefig(args.out / "poses.png", dpi=110)
print(f"wrote poses.png and poses.csv in {args.out}")
