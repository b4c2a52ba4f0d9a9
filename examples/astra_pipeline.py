"""An ASTRA pipeline, slice by slice on the CPU; then the same with tomoinr's algorithms in it."""

import argparse

import astra
import numpy as np

import tomoinr_astra
from tomoinr.builtin.simulate import Acquisition, simulate

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--size", type=int, default=24, help="voxels of the box's edges")
parser.add_argument("--steps", type=int, default=50, help="iterations")
args = parser.parse_args()

acquisition = Acquisition(angles=tuple(range(-60, 61, 3)), dose=50, shift=1)
taken = simulate("nanoparticles", (args.size,) * 3, acquisition, seed=0)
series = taken.series()
images = np.ascontiguousarray(series.images[0])  # [view, row, column]
angles = np.deg2rad(series.angles.numpy())
size = args.size


def likeness(volume):
    """Correlation with the truth; both are [y, z, x]."""
    return np.corrcoef(volume.ravel(), taken.truth.ravel())[0, 1]


def slice_by_slice(name, option):
    """One algorithm for all slices: fill its data, run it, take its volume."""
    box = astra.create_vol_geom(size, size)
    detector = astra.create_proj_geom("parallel", 1.0, size, angles)
    data, found = astra.data2d.create("-sino", detector), astra.data2d.create("-vol", box)
    config = astra.astra_dict(name)
    config["ProjectorId"] = astra.create_projector("linear", detector, box)
    config["ProjectionDataId"], config["ReconstructionDataId"] = data, found
    config["option"] = option
    algorithm = astra.algorithm.create(config)
    volume = np.empty((size,) * 3, np.float32)
    for row in range(size):
        astra.data2d.store(data, images[:, row])
        astra.data2d.store(found, 0)
        astra.algorithm.run(algorithm, args.steps)
        volume[row] = astra.data2d.get(found)
    astra.clear()
    return volume


print(f"SIRT          {likeness(slice_by_slice('SIRT', {'MinConstraint': 0})):.3f}")

# The pipeline's own lines stay: ours are registered, and called by another name.
tomoinr_astra.register()
print(f"TOMOINR-SIRT  {likeness(slice_by_slice('TOMOINR-SIRT', {'MinConstraint': 0})):.3f}")
print(f"TOMOINR-TV    {likeness(slice_by_slice('TOMOINR-TV', {'weight': 0.03})):.3f}")

# All slices together, without a GPU: the images' poses are found as well. In 3-D, where rows of
# the volume go up along +y, ASTRA's angle is minus the tilt that slices are seen at in 2-D.
box = astra.create_vol_geom(size, size, size)
detector = astra.create_proj_geom("parallel3d", 1.0, 1.0, size, size, -angles)
rows = np.ascontiguousarray(images.transpose(1, 0, 2))  # ASTRA's order: [row, view, column]
volume = np.zeros((size,) * 3, np.float32)
config = astra.astra_dict("TOMOINR")
config["ProjectionDataId"] = astra.data3d.link("-sino", detector, rows)
config["ReconstructionDataId"] = astra.data3d.link("-vol", box, volume)
config["option"] = {"quality": "fast", "steps": args.steps, "seed": 0}
algorithm = astra.algorithm.create(config)
astra.algorithm.run(algorithm)
print(f"TOMOINR, 3-D  {likeness(volume):.3f}")

found = astra.algorithm.get_plugin_object(algorithm)
moved, true = found.poses.shift.numpy(), np.stack((taken.dx, taken.dy), 1)
print(
    f"images were moved by {true.std():.2f} pixels; what is left of it: {(moved - true).std():.2f}"
)
print(f"last loss {found.history[-1].loss:.4g}; {found.notes[0]}")
