"""SIRT on a CPU: ours, all slices at once, beside ASTRA's, slice by slice.

Both run on the same images with the same iterations, in one process and on one thread: ASTRA's CPU
code knows no more. Ours is timed from the call to the volume, its matrix included; ASTRA from the
first slice to the last, its set-up left out.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import astra
import numpy as np
import torch

import tomoinr
from tomoinr.builtin.phantoms import nanoparticles
from tomoinr.builtin.slice_operator import SliceOperator
from tomoinr.builtin.slices import Slices
from tomoinr.builtin.voxels import Voxels
from tomoinr.geometry import Grid, Poses, place

WHY = """\
So the algorithm is the same, and the weights are not quite. Both weigh a voxel by linear
interpolation between two neighbours. ASTRA steps along each ray in float32, where rounding adds up
on the way; ours are computed in float64 and rounded once. Iterating magnifies what that changes,
most of all in noise."""


def main() -> None:
    args = arguments()
    torch.set_num_threads(args.threads)
    series = measure(args)
    print(
        f"{args.slices} slices of {args.size}² voxels, {args.angles} angles within ±60°, "
        f"{args.steps} iterations, noise {args.noise:g}, {args.threads} thread(s) for ours; "
        f"tomoinr {tomoinr.__version__}, ASTRA {astra.__version__}, torch {torch.__version__}"
    )
    for run in range(args.repeat):
        theirs, astra_seconds = timed(lambda: astra_sirt(series, args.steps))
        ours, our_seconds = timed(lambda: our_sirt(series, args.steps))
        print(
            f"run {run + 1}: ASTRA {astra_seconds:.2f} s, ours {our_seconds:.2f} s, "
            f"ratio {our_seconds / astra_seconds:.3f} (target: at most 0.25)",
            flush=True,
        )
    print(f"relative difference of the volumes: {relative(ours, theirs):.1e}")
    explain(series, theirs, args.steps)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=64)
    parser.add_argument("--size", type=int, default=128, help="voxels and pixels across")
    parser.add_argument("--angles", type=int, default=41)
    parser.add_argument("--steps", type=int, default=100, help="iterations")
    parser.add_argument("--noise", type=float, default=0.1, help="rms, relative to the mean signal")
    parser.add_argument("--threads", type=int, default=1, help="of ours; ASTRA uses one")
    parser.add_argument("--repeat", type=int, default=1)
    return parser.parse_args()


def measure(args: argparse.Namespace) -> tomoinr.TiltSeries:
    """Noisy images of nanoparticles."""
    grid, angles = Grid((args.slices, args.size, args.size)), torch.linspace(-60, 60, args.angles)
    specimen = Voxels(Voxels.Options(), grid)
    specimen.values.data[0] = torch.from_numpy(nanoparticles(grid.shape, 0))
    views = place(Poses.of(angles), (args.angles, args.slices, args.size), grid.spacing)
    with torch.no_grad():
        images = Slices(Slices.Options(), grid).project(specimen, views)[0]
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    return tomoinr.TiltSeries(images + args.noise * images.mean() * noise, angles)


def timed(solve: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    begun = time.perf_counter()
    return solve(), time.perf_counter() - begun


def our_sirt(series: tomoinr.TiltSeries, steps: int, projector: str = "slices") -> np.ndarray:
    return tomoinr.reconstruct(
        series, solver="sirt", volume="voxels", poses="fixed", projector=projector, steps=steps
    ).voxels


def astra_sirt(series: tomoinr.TiltSeries, steps: int) -> np.ndarray:
    """One algorithm on linked arrays, filled again for every slice: ASTRA's fastest way."""
    tilts, rows, columns = series.shape
    box, detector = geometries(series)
    voxels = np.zeros((rows, columns, columns), np.float32)
    slice_, sinogram = np.zeros_like(voxels[0]), np.zeros((tilts, columns), np.float32)
    config = astra.astra_dict("SIRT")
    config["ProjectorId"] = astra.create_projector("linear", detector, box)
    config["ProjectionDataId"] = astra.data2d.link("-sino", detector, sinogram)
    config["ReconstructionDataId"] = astra.data2d.link("-vol", box, slice_)
    config["option"] = {"MinConstraint": 0.0}
    algorithm = astra.algorithm.create(config)
    for row in range(rows):
        slice_[...] = 0
        sinogram[...] = series.images[0, :, row].numpy()
        astra.algorithm.run(algorithm, steps)
        voxels[row] = slice_
    astra.clear()
    return voxels


def geometries(series: tomoinr.TiltSeries) -> tuple[dict, dict]:
    """ASTRA's, of one slice and of the detector row that sees it, from our own poses."""
    columns = series.shape[2]
    views = place(Poses.of(series.angles.float()), series.shape, series.pixel_size)
    tilt = torch.atan2(views.ray[:, 0], views.ray[:, 2]).double().numpy()[:, None]
    sin, cos, zero = np.sin(tilt), np.cos(tilt), np.zeros_like(tilt)
    vectors = np.hstack((sin, -cos, zero, zero, cos, sin))
    detector = astra.create_proj_geom("parallel_vec", columns, vectors)
    return astra.create_vol_geom(columns, columns), detector


def relative(found: np.ndarray, wanted: np.ndarray) -> float:
    """Relative difference, root mean square."""
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


def explain(series: tomoinr.TiltSeries, theirs: np.ndarray, steps: int) -> None:
    """Where the difference comes from: the algorithm on the same weights, then the weights."""
    rows = min(2, series.shape[1])
    few = tomoinr.TiltSeries(series.images[:, :, :rows], series.angles)
    same = relative(our_sirt(few, steps, "astra"), theirs[:rows])
    print(f"  our algorithm on ASTRA's weights ({rows} slices): {same:.1e}")
    some = series.select(range(0, series.shape[0], 8))
    exact = exact_weights(some)
    for name, weights in (("ASTRA's", astra_weights(some)), ("our", our_weights(some))):
        print(f"  {name} weights against the formula in float64: {relative(weights, exact):.1e}")
    print(WHY)


def exact_weights(series: tomoinr.TiltSeries) -> np.ndarray:
    """(angle, column, z, x): a triangle, as wide as the larger of cos and sin on either side."""
    n = series.shape[2]
    at = np.arange(n) - (n - 1) / 2
    angles = np.deg2rad(series.angles.numpy())[:, None, None, None]
    half = np.maximum(abs(np.cos(angles)), abs(np.sin(angles)))
    shadow = at * np.cos(angles) - at[:, None] * np.sin(angles)
    return np.maximum(1 - abs(at[:, None, None] - shadow) / half, 0) / half


def astra_weights(series: tomoinr.TiltSeries) -> np.ndarray:
    n = series.shape[2]
    box, detector = geometries(series)
    matrix = astra.projector.matrix(astra.create_projector("linear", detector, box))
    return astra.matrix.get(matrix).toarray().reshape(-1, n, n, n)


def our_weights(series: tomoinr.TiltSeries) -> np.ndarray:
    n = series.shape[2]
    operator = SliceOperator(Grid((1, n, n)))
    voxels = torch.eye(n * n).reshape(1, -1, n, n)  # one a slice
    weights = operator(voxels, torch.deg2rad(series.angles))[0].transpose(1, 2)
    margin = (operator.columns - n) // 2
    return weights.unflatten(2, (n, n))[:, margin : margin + n].numpy()


if __name__ == "__main__":
    main()
