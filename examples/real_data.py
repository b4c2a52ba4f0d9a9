"""A tooth, measured by X-rays over 180°: what is left of it when only ±60° had been seen.

Takes the file `tooth.h5` of TomoPy's test data, or another in the DXchange layout.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

import tomoinr

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("file", type=Path, help="images over 180°, in the DXchange layout")
parser.add_argument("--columns", type=int, default=160, help="of the images, after averaging")
parser.add_argument("--steps", type=int, help="of the solver; none: as many as it likes")
parser.add_argument("--out", type=Path, default=Path("real-data-out"), help="folder")
args = parser.parse_args()

taken = tomoinr.TiltSeries.load(args.file)  # flat and dark fields are applied
factor = taken.shape[2] // args.columns
columns = taken.images[..., : factor * args.columns].unflatten(-1, (args.columns, factor))
density = -columns.mean(-1).clamp(min=1e-3).log()  # what was absorbed along each ray
series = replace(taken, images=density, angles=taken.angles - 90)
print(series)

# Where the axis is: the first image is the last one, seen from behind.
first, last = (density[0, i].mean(0).double() for i in (0, -1))
spectrum = torch.fft.fft(first) * torch.fft.fft(last.flip(0)).conj()
lag = int(torch.fft.ifft(spectrum).real.argmax())
middle = (lag - args.columns if lag > args.columns / 2 else lag) / 2
print(f"the axis is {middle:.1f} pixels beside the middle of the images")
shift = torch.tensor([middle, 0.0]).expand(len(series.angles), 2)
start = tomoinr.Poses.of(series.angles.float(), shift=shift)

seen = (series.angles.abs() <= 60).nonzero()[:, 0]
wedge = series.select(seen.tolist())
held = tomoinr.Poses(start.rotation[seen], start.shift[seen])
learned = tomoinr.reconstruct(wedge, poses="shift", start=held, quality="fast", steps=args.steps)
learned.save(args.out, force=True)

volumes = {
    "all 180°": tomoinr.reconstruct(series, solver="fbp", start=start).voxels,
    "±60°, tomoinr": learned.voxels,
    "±60°, back-projected": tomoinr.reconstruct(wedge, solver="fbp", start=held).voxels,
}
whole = volumes["all 180°"]
captions = {
    name: f"correlation {np.corrcoef(whole.ravel(), v.ravel())[0, 1]:.3f}"
    for name, v in volumes.items()
}
figure, axes = plt.subplots(1, 3, figsize=(10, 3.7), layout="constrained")
for axis, (name, volume) in zip(axes, volumes.items(), strict=True):
    axis.imshow(volume[0], cmap="gray", vmin=0, vmax=np.percentile(whole, 99.8))
    axis.set_title(f"{name}\n{captions[name]}")
    axis.set_axis_off()
    print(f"{name}: {captions[name]}")
figure.savefig(args.out / "slices.png", dpi=130)
