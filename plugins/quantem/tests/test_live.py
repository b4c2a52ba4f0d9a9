"""With quantEM itself: its rays, its files, its network."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

import tomoinr_quantem
from tomoinr import TomoinrError, builtin, reconstruct
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.geometry import Grid, Pixels, Poses, place
from tomoinr.io import load
from tomoinr.loop import run
from tomoinr.options import parse
from tomoinr.plugins import Plugins
from tomoinr.testing import SolverContract
from tomoinr.testing.specimens import blobs
from tomoinr_quantem import dataset_of, series_of, volume_of
from tomoinr_quantem.frames import Euler, our_images, their_poses
from tomoinr_quantem.library import part, require
from tomoinr_quantem.options import Options
from tomoinr_quantem.solver import QuantemInr

try:
    require()
except TomoinrError as missing:
    pytest.skip(str(missing), allow_module_level=True)

SMOOTH = {"width": 32, "layers": 2, "omega": 5.0, "noise": False, "rate": 4e-3, "batch": 256}
ANGLES = tuple(range(-57, 58, 6))


def likeness(a, b):
    return float(np.corrcoef(np.ravel(a), np.ravel(b))[0, 1])


@pytest.fixture(scope="module")
def taken():
    return simulate("asymmetric", (20, 20, 20), Acquisition(ANGLES), 0)


@pytest.fixture
def plugins():
    return Plugins(builtin, tomoinr_quantem, installed=False)


@pytest.fixture
def solve():
    def solved(given, **options):
        return run(given, QuantemInr(parse(Options, {**SMOOTH, **options}, "quantem-inr")))

    return solved


class TestQuantemInr(SolverContract):
    """The laws of all solvers."""

    steps, correlation, fall = 15, 0.85, 0.2

    @pytest.fixture
    def part(self):
        return QuantemInr, {**SMOOTH, "every": 20, "steps": 300}

    def test_what_comes_in_goes_out(self):
        """In few batches: over hundreds, the rounding of images grows into what can be seen."""
        solver = QuantemInr(parse(Options, {**SMOOTH, "steps": 20}, "quantem-inr"))
        super().test_what_comes_in_goes_out(solver)


POSES = [{}, {"rotation": -4.0}, {"rotation": 30.0, "out_of_plane": 2.0}]


def their_rays(euler, view, i, j, side, samples):
    """quantEM's own: where it looks, in our axes and pixels, for pixels of its images."""
    cls = part("tomography.dataset_models", "TomographyINRDataset")
    rays = cls.create_batch_rays(i.float(), j.float(), side, samples)
    tilt, z1, z3, shifts = (values[view].float() for values in euler)
    x, y, z = cls.transform_batch_rays(rays, z1, tilt, z3, shifts, side, 1.0).unbind(-1)
    return torch.stack((-y, x, z), -1) * (side - 1) / 2


@pytest.mark.parametrize("pose", POSES)
def test_its_rays_are_ours_at_every_pose(pose):
    shift = torch.tensor([[1.5, -4.0], [0.0, 2.5], [-3.0, 1.0]])
    poses = Poses.of(torch.tensor([-50.0, 0.0, 35.0]), shift=shift, **pose)
    every = itertools.product(range(3), (0, 3, 8), (1, 8))
    view, row, column = map(torch.tensor, zip(*every, strict=True))
    rays = place(poses, (3, 9, 9), 2.5).rays(Pixels(view, row, column))
    found = 2.5 * their_rays(their_poses(poses, 2.5), view, 8 - column, row, 9, 5)
    away = found - rays.origin[:, None]
    along = (away * rays.direction[:, None]).sum(-1, keepdim=True)
    assert float((away - along * rays.direction[:, None]).norm(dim=-1).max()) < 1e-4
    assert bool((along.diff(dim=1) > 0).all())


def test_its_projections_of_blobs_are_our_images_and_no_mirror_images():
    """Along quantEM's rays, summed by quantEM, at angles as it is given them."""
    side, samples, grid = 21, 61, Grid((21, 21, 21), 1.0)
    angles, still = torch.tensor([-40.0, 10.0, 55.0]), torch.zeros(3)
    euler = Euler(angles, still, still, torch.zeros(3, 2))
    view, i, j = (index.flatten() for index in torch.meshgrid(
        torch.arange(3), torch.arange(side), torch.arange(side), indexing="ij"))  # fmt: skip
    density = blobs(grid, 1.5).density(their_rays(euler, view, i, j, side, samples))[..., 0]
    cls = part("tomography.dataset_models", "TomographyINRDataset")
    summed = cls.integrate_rays(density, samples, len(view)) * (side - 1) / 2
    made = our_images(summed.reshape(3, side, side).numpy())
    views = place(Poses.of(angles), made.shape, 1.0)
    wanted = blobs(grid, 1.5).integral(views.rays(Pixels.rows(views.shape)))[0].numpy()
    assert np.abs(made - wanted).max() < 0.01 * wanted.max()
    for mirrored in (made[:, ::-1], made[:, :, ::-1], made[::-1], made.swapaxes(1, 2)):
        assert np.abs(mirrored - wanted).max() > 0.3 * wanted.max()


def test_the_phantom_is_found_and_no_mirror_image(taken, plugins):
    solver = {"name": "quantem-inr", **SMOOTH, "width": 64, "rate": 2e-3, "passes": 30}
    found = reconstruct(taken.series(), solver=solver, plugins=plugins).voxels
    assert likeness(found, taken.truth) > 0.85
    assert float((found * taken.truth).sum() / (taken.truth**2).sum()) == pytest.approx(1, abs=0.25)
    for axes in ([0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]):
        assert likeness(np.flip(found, axes), taken.truth) < 0.5


@pytest.mark.parametrize("shape", [(13, 15, 18), (20, 10, 14)])
def test_images_and_boxes_of_any_shape(problem, solve, shape):
    grid = Grid(shape, 2.5)
    found = solve(problem(grid), steps=800, every=400).voxels
    assert likeness(found, blobs(grid, 2.0).voxels(grid)[0]) > 0.93


def test_given_poses_are_followed(problem, solve):
    shift = 5 * torch.randn(25, 2, generator=torch.Generator().manual_seed(0))
    given = problem(rotation=6.0, shift=shift)
    ignorant = replace(given, poses=problem().poses, volume=problem().volume)
    wanted = blobs(given.grid, 2.0).voxels(given.grid)[0]
    told, untold = (
        likeness(solve(one, steps=500, every=500).voxels, wanted) for one in (given, ignorant)
    )
    assert told > 0.8 and untold < told - 0.2
    assert torch.equal(given.poses().shift, shift)


def test_the_loss_is_the_residual_in_the_units_of_the_series(problem, solve):
    given = problem()
    last = solve(given, steps=600, every=20).history[-1]
    residual = (given.predict() - given.series.images).square().mean()
    assert last.loss == pytest.approx(residual.item(), rel=0.5)
    assert last.step == 600


def test_a_seed_repeats_a_run_whatever_else_draws_numbers(problem, solve):
    first = solve(problem(), steps=4, every=2)
    torch.rand(5)
    before = torch.random.get_rng_state()
    again = solve(problem(), steps=4, every=2)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert np.array_equal(first.voxels, again.voxels)
    assert [r.loss for r in first.history] == [r.loss for r in again.history]


def test_learned_poses_are_handed_back(problem, solve):
    shift = torch.zeros(25, 2)
    shift[:, 0] = 4 * torch.randn(25, generator=torch.Generator().manual_seed(1))
    moved = problem(shift=shift)
    moved.poses.shift.zero_()
    found = solve(moved, steps=800, every=400, learn_poses=True, pose_rate=0.05)
    learned = found.poses.shift[:, 0]
    assert float(torch.corrcoef(torch.stack((learned, shift[:, 0])))[0, 1]) > 0.9


@pytest.mark.parametrize("name", ["set", "set.zip"])
def test_what_it_saves_is_read(taken, tmp_path, plugins, name):
    series = taken.series()
    dataset_of(series).save(tmp_path / name)
    back = load(tmp_path / name, plugins=plugins)
    assert torch.equal(back.images, series.images)
    assert back.angles.tolist() == series.angles.tolist()


def test_a_bundle_and_a_tensor(taken, tmp_path, plugins):
    dataset = dataset_of(taken.series())
    dataset.metadata.clear()
    bundle = part("core.io.serialize", "Bundle")
    bundle(tilts=dataset, angles=taken.angles).save(tmp_path / "bundle")
    back = load(tmp_path / "bundle", plugins=plugins)
    assert torch.equal(back.images, taken.series().images)
    assert back.angles.tolist() == list(ANGLES)


def test_quantems_sirt_on_our_dataset_gives_our_volume_and_no_mirror_image(taken):
    dataset = dataset_of(taken.series())
    lite = part("tomography.tomography_lite", "TomographyLiteConv")
    model = lite.from_dataset(
        torch.from_numpy(dataset.array),
        torch.from_numpy(dataset.metadata["tilt_angles"]).float(),
        device="cpu",
    )
    model.verbose = False
    model.reconstruct(num_iter=30)
    found = volume_of(model)
    assert likeness(found, taken.truth) > 0.85
    for axes in ([0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]):
        assert likeness(np.flip(found, axes), taken.truth) < 0.5


def test_a_volume_that_it_shows_is_ours():
    """quantEM draws blobs that are given in its own coordinates."""
    grid = Grid((9, 9, 9), 1.0)

    class Drawn(torch.nn.Module):
        def forward(self, coords):
            x, y, z = (4 * coords).unbind(-1)
            return blobs(grid, 1.5).density(torch.stack((-y, x, z), -1))[..., 0]

    made = part("tomography.object_models", "ObjectINR").from_model(Drawn(), (9, 9, 9), "cpu")
    wanted = blobs(grid, 1.5).voxels(grid)[0].numpy()
    assert np.allclose(volume_of(made), wanted, atol=1e-5)


def test_a_result_becomes_a_dataset_and_comes_back(taken, plugins):
    result = reconstruct(taken.series(), solver={"name": "sirt", "steps": 2}, plugins=plugins)
    dataset = dataset_of(result)
    assert type(dataset).__name__ == "Dataset3d" and dataset.units == ["A", "A", "A"]
    assert np.array_equal(volume_of(dataset), result.voxels)
    assert series_of(dataset_of(result.series)).shape == result.series.shape
