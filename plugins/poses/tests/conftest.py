"""Seeds, one thread, and a tilt series of blobs."""

from collections.abc import Callable

import pytest
import torch

from tomoinr.builtin.slices import Slices
from tomoinr.builtin.voxels import Voxels
from tomoinr.data import TiltSeries
from tomoinr.geometry import Grid, Poses, place
from tomoinr.interfaces import PoseModel, Problem, Projector
from tomoinr.testing.specimens import Gaussians, blobs
from tomoinr_poses import Euler, Rigid, Shift, Spline

VARIANTS = {
    "shift": (Shift, {}),
    "spline": (Spline, {}),
    "spline-5": (Spline, {"knots": 5}),
    "rigid": (Rigid, {}),
    "rigid-tilt": (Rigid, {"tilt": True}),
    "rigid-out": (Rigid, {"out_of_plane": True}),
    "rigid-all": (Rigid, {"tilt": True, "out_of_plane": True}),
    "euler": (Euler, {}),
    "euler-first": (Euler, {"reference": 0}),
}
GRID = Grid((20, 20, 22), 2.5)

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seeds() -> None:
    torch.manual_seed(0)


@pytest.fixture(params=VARIANTS.values(), ids=VARIANTS)
def variant(request: pytest.FixtureRequest) -> tuple[type[PoseModel], dict[str, object]]:
    """Every model, with every option that changes what it can do."""
    return request.param


@pytest.fixture
def grid() -> Grid:
    return GRID


@pytest.fixture(params=[0.0, 84.0], ids=["axis-along-y", "axis-at-84-degrees"])
def aligned(request: pytest.FixtureRequest) -> Poses:
    """Nine views as a coarse alignment leaves them: rotations, shifts, an axis at any azimuth."""
    tilt = torch.linspace(-60.0, 55.0, 9)
    rotation = request.param + 3 * torch.randn(9)
    return Poses.of(tilt, rotation, shift=5 * torch.randn(9, 2))


@pytest.fixture
def pose_problem() -> Callable[..., Problem]:
    return make_problem


def make_problem(
    truth: Poses,
    model: PoseModel,
    specimen: Gaussians | None = None,
    projector: Projector | None = None,
) -> Problem:
    """Noiseless images of blobs in their true poses; the volume is those blobs, or others."""
    shape = (len(truth.shift), *GRID.shape[::2])
    projector = projector or Slices(Slices.Options(), GRID)
    volume = Voxels(Voxels.Options(), GRID, 2).requires_grad_(False)
    volume.values.data = blobs(GRID).voxels(GRID)
    images = projector.project(volume, place(truth, shape, GRID.spacing))
    volume.values.data = (specimen or blobs(GRID)).voxels(GRID)
    series = TiltSeries(images, truth.angles().tilt, GRID.spacing, ("a", "b"))
    return Problem(series, GRID, volume, model, projector)
