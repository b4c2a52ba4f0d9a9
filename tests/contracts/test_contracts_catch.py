"""Parts with one fault each: the law that covers it must fail."""

from dataclasses import dataclass, replace
from functools import partial
from types import ModuleType

import pytest
import torch

from tomoinr import hookimpl
from tomoinr.builtin import mrc
from tomoinr.builtin.slices import Slices
from tomoinr.builtin.voxels import Voxels
from tomoinr.data import Reconstruction, TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Pixels, Poses
from tomoinr.interfaces import Ability, PoseModel, Prior, Solver
from tomoinr.options import NoOptions
from tomoinr.plugins import Plugins
from tomoinr.sampling import Draw
from tomoinr.state import Iterate
from tomoinr.testing import (
    FormatContract,
    PoseModelContract,
    PriorContract,
    ProjectorContract,
    SolverContract,
    VolumeContract,
    poses,
    scenes,
    together,
    volumes,
)
from tomoinr.testing.parts import stir
from tomoinr.testing.solvers import small_problem
from tomoinr.testing.specimens import blobs

caught = partial(pytest.raises, AssertionError)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


class FlippedShift(Slices):
    def project(self, volume, views, pixels=None):
        return super().project(volume, replace(views, centre=-views.centre), pixels)


class FlippedTilt(Slices):
    def project(self, volume, views, pixels=None):
        mirror = torch.tensor([1.0, 1.0, -1.0])
        turned = {name: getattr(views, name) * mirror for name in ("u", "v", "centre")}
        return super().project(volume, replace(views, ray=-views.ray * mirror, **turned), pixels)


class PerVoxel(Slices):
    def project(self, volume, views, pixels=None):
        return super().project(volume, views, pixels) / self.grid.spacing


class HalfGradient(Slices):
    def project(self, volume, views, pixels=None):
        whole = super().project(volume, views, pixels)
        return (whole + whole.detach()) / 2


class FirstRows(Slices):
    def project(self, volume, views, pixels=None):
        whole = super().project(volume, views)
        return whole if pixels is None else whole[:, : len(pixels.view), : len(pixels)]


class SameRows(Slices):
    def sample(self, series, budget, draw):
        return Pixels.rows(series.shape, torch.arange(series.shape[1] // 2))


@pytest.mark.parametrize("wrong", [FlippedShift, FlippedTilt])
def test_a_projector_with_a_flipped_sign(wrong):
    with caught():
        ProjectorContract().test_a_particle_lands_where_the_formula_says(
            wrong(wrong.Options(), scenes.GRID)
        )


@pytest.mark.parametrize("wrong", [FlippedShift, FlippedTilt, PerVoxel])
def test_a_projector_with_wrong_integrals(wrong):
    build = partial(wrong, wrong.Options())
    with caught(match=r"assert [\d.]+ <= 0.04"):  # rewriting: the failure shows its numbers
        ProjectorContract().test_line_integrals_of_blobs(build, (18, 18, 18))


def test_a_projector_with_half_the_gradient():
    projector = HalfGradient(Slices.Options(), scenes.GRID)
    views = scenes.seen_by(scenes.GRID, scenes.some_poses(False))
    with caught():
        ProjectorContract().test_is_adjoint_to_its_gradient(projector, views)
    for which in ("tilt", "rotation", "dx", "dy"):
        with caught():
            ProjectorContract().test_pose_gradients(projector, which)


def test_a_projector_with_the_wrong_rows():
    projector = FirstRows(Slices.Options(), scenes.GRID)
    views = scenes.seen_by(scenes.GRID, scenes.some_poses(False))
    with caught():
        ProjectorContract().test_some_pixels_are_those_of_all(projector, views)


def test_a_projector_that_ignores_the_draw():
    with caught():
        ProjectorContract().test_samples_follow_the_draw(SameRows(Slices.Options(), scenes.GRID))


class HalfAVoxelOff(Voxels):
    def voxels(self, grid, slices=None):
        return self.density(grid.points(slices) + grid.spacing / 2).movedim(-1, 0)


class WrongSlices(Voxels):
    def voxels(self, grid, slices=None):
        whole = super().voxels(grid)
        return whole if slices is None else whole[:, slices.sort()[0]]


class Forgetful(Voxels):
    def state_dict(self, **kwargs):
        return {name: t * 0 for name, t in super().state_dict(**kwargs).items()}


class SquaredAndSpare(Voxels):
    def __init__(self, options, grid, channels=1):
        super().__init__(options, grid, channels)
        self.spare = torch.nn.Parameter(torch.ones(1))

    def density(self, points):
        return super().density(points).square()


class Unsettled(Voxels):
    """Keeps what it was told where no checkpoint finds it; `fickle`: not even there."""

    fickle, told = False, False

    def heed(self, series):
        if self.told and not self.fickle:
            return ()
        self.told = True
        self.values.data.fill_(series.images.mean())
        return ("told",)


def stirred(wrong):
    volume = wrong(Voxels.Options(), volumes.GRID, 1)
    stir(volume, 0.1)
    return volume


@pytest.mark.parametrize("wrong", [HalfAVoxelOff, WrongSlices])
def test_a_volume_whose_voxels_disagree_with_its_density(wrong):
    with caught():
        VolumeContract().test_voxels_agree_with_density(stirred(wrong), 1)


def test_a_volume_that_is_not_restored():
    with caught(match="register_buffer"):
        build = partial(Forgetful, Voxels.Options())
        VolumeContract().test_state_round_trip(stirred(Forgetful), build)


@pytest.mark.parametrize("fickle", [False, True])
def test_a_volume_that_images_settle_twice(fickle, monkeypatch):
    monkeypatch.setattr(Unsettled, "fickle", fickle)
    with caught(match="settled twice"):
        VolumeContract().test_what_images_settle_stays(partial(Unsettled, Voxels.Options()))


def test_a_volume_with_a_spare_parameter_that_calls_itself_linear():
    volume = stirred(SquaredAndSpare)
    with caught(match="spare"):
        VolumeContract().test_gradients_reach_every_parameter(volume)
    with caught():
        VolumeContract().test_linear_volumes_are_linear_in_one_parameter(volume)
    del volume.spare
    with caught():
        VolumeContract().test_linear_volumes_are_linear_in_one_parameter(volume)


class Sheared(PoseModel):
    """Adds to the matrix itself, drops the nominal shift, and silently tilts the axis."""

    name = "sheared"

    def __init__(self, options, nominal, grid):
        super().__init__()
        self.rotation = torch.nn.Parameter(nominal.rotation)
        self.unused = torch.nn.Parameter(nominal.shift)

    def forward(self):
        return Poses(self.rotation, torch.zeros_like(self.unused))


def test_a_pose_model_that_shears_and_forgets_shifts():
    build, laws = partial(Sheared, NoOptions()), PoseModelContract()
    with caught():
        laws.test_starts_at_the_nominal_poses(build)
    model = build(poses.nominal(), poses.GRID)
    stir(model, 0.5)
    with caught(match="unused"):
        laws.test_gradients_reach_every_parameter(model)
    for law in (
        laws.test_rotations_stay_rotations,
        laws.test_says_when_the_axis_leaves_the_detector_plane,
    ):
        with caught():
            law(model)


class Lopsided(Prior):
    """Negative for negative densities, dearer on one side, and with a kink at zero."""

    name = "lopsided"

    def penalty(self, voxels):
        weighted = voxels * torch.arange(voxels.shape[-1])
        return weighted.square().sum().sqrt() * voxels.mean().sign() + 1e-3


def test_a_lopsided_prior():
    prior, laws, voxels = Lopsided(), PriorContract(), blobs(volumes.GRID).voxels(volumes.GRID)
    with caught():
        laws.test_is_above_zero(prior, voxels)
    with caught():
        laws.test_costs_nothing_for_the_plainest(prior, voxels)
    with caught():
        laws.test_gradient_is_finite(prior, voxels)
    with caught():
        laws.test_mirror_images_cost_the_same(prior, voxels, 3)


def test_a_prior_that_is_not_in_proportion_is_told_what_to_say():
    class Squared(Lopsided):
        def penalty(self, voxels):
            return voxels.square().mean()

    with caught(match="set homogeneous = False"):
        PriorContract().test_grows_with_the_density(
            Squared(), blobs(volumes.GRID).voxels(volumes.GRID)
        )


class Descent(Solver):
    """Gradient descent on random rows: without a fault, it keeps the contract."""

    name = "descent"
    divides_by = staticmethod(lambda batch, mine: batch)

    @dataclass(frozen=True)
    class Options:
        """None, but frozen."""

    def init(self, problem, team):
        return Iterate()

    def step(self, problem, state, team):
        draw = Draw(problem.seed, state.step)
        batch = problem.projector.sample(problem.series, 1500, draw)
        mine = batch.part(team.share(len(batch)))
        (values,) = problem.volume.parameters()
        loss = (problem.predict(mine) - problem.series.at(mine)).square().sum()
        loss = loss / self.divides_by(batch.shape, mine.shape).numel()
        (gradient,) = torch.autograd.grad(loss, values)
        loss = loss.detach()
        team.sum_([gradient, loss])
        values.data -= 0.6 * gradient
        state.step += 1
        return loss

    def done(self, problem, state):
        return False


class LocalMean(Descent):
    divides_by = staticmethod(lambda batch, mine: mine)


class NoStep(Descent):
    def init(self, problem, team):
        state = Iterate()
        state.load_state_dict = lambda saved: None
        return state


def laws_of_solvers():
    laws = SolverContract()
    laws.steps, laws.fall = 40, 0.5
    return laws


def test_a_solver_without_a_fault_passes():
    laws = laws_of_solvers()
    laws.test_finds_the_specimen(Descent(), small_problem())
    laws.test_many_ranks_equal_one(Descent(), small_problem(), 3)
    laws.test_goes_on_where_it_stopped(Descent(), small_problem())


def test_a_solver_that_forgets_to_divide_by_the_global_batch():
    with caught():
        laws_of_solvers().test_many_ranks_equal_one(LocalMean(), small_problem(), 2)


def test_a_solver_that_says_it_weighs_priors_and_does_not():
    class Deaf(Descent):
        abilities = frozenset({Ability.PRIORS})

    laws_of_solvers().test_priors_count_or_are_refused(Descent())
    with caught(match="priors change nothing"):
        laws_of_solvers().test_priors_count_or_are_refused(Deaf())


def test_a_solver_that_forgets_its_step():
    with caught():
        laws_of_solvers().test_goes_on_where_it_stopped(NoStep(), small_problem())


def module(read, write):
    made = ModuleType("wrong_format")
    made.tomoinr_read, made.tomoinr_write = read, write
    return Plugins(made, installed=False)


@hookimpl
def tomoinr_write(path, value, order):
    """Mirrors volumes and calls the angles' images by the wrong pixel size."""
    if isinstance(value, Reconstruction):
        value = replace(value, voxels=value.voxels.swapaxes(0, 1))
    else:
        value = replace(value, pixel_size=1.0)
    return mrc.tomoinr_write(path, value, order)


@hookimpl
def tomoinr_read(path):
    """Knows files with six columns; others make it stumble."""
    return {b"\x06\0\0\0": mrc.tomoinr_read}[path.read_bytes()[:4]](path=path, pixel_size=None)


def test_a_writer_that_mirrors_and_a_reader_that_lets_errors_through(tmp_path):
    laws, path = FormatContract(), tmp_path / "file.mrc"
    series = TiltSeries(torch.randn(5, 7, 6), torch.arange(5.0))
    series = replace(series, pixel_size=3.25)
    for order in ("imod", "xyz"):
        with caught():
            wrong = module(mrc.tomoinr_read, tomoinr_write)
            laws.test_volumes_keep_their_hand(wrong, tmp_path / f"{order}.mrc", series, order)
    with pytest.raises(TomoinrError, match="read again"):
        laws.test_series_round_trip(wrong, tmp_path / "size.mrc", series)
    with pytest.raises(KeyError):
        wrong = module(tomoinr_read, mrc.tomoinr_write)
        laws.test_broken_files_are_refused(wrong, path, series, "garbage")


def test_a_team_of_threads_works_like_any_team():
    def work(team):
        ones, mine = torch.ones(2), torch.full((2,), float(team.rank))
        team.sum_([ones])
        team.copy_([mine])
        return ones.tolist(), mine.tolist(), team.gather(torch.arange(7)[team.share(7)]).tolist()

    assert together(3, work) == 3 * [([3, 3], [0, 0], list(range(7)))]


def test_one_rank_that_fails_ends_the_wait_of_the_others():
    def work(team):
        if team.rank == 1:
            raise KeyError("the cause")
        team.sum_([torch.ones(1)])

    with pytest.raises(KeyError, match="the cause"):
        together(3, work)
