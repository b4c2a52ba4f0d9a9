"""The contract of projectors."""

from __future__ import annotations

from itertools import product
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from tomoinr.builtin.slabs import slab_of
from tomoinr.builtin.voxels import Voxels
from tomoinr.data import TiltSeries
from tomoinr.geometry import Angles, Grid, Pixels, Poses, Shape, Views
from tomoinr.interfaces import Ability, Projector
from tomoinr.sampling import Draw
from tomoinr.testing.parts import AnyPart, Build, error
from tomoinr.testing.scenes import GRID, SPACING, centroids, landing, seen_by, some_poses
from tomoinr.testing.specimens import Ball, Gaussians, blobs


class ProjectorContract(AnyPart):
    """A projector gives line integrals, at the right place, with the right gradients.

    Fixture `part`: the class, or (class, options); made as `cls(options, grid)`. What it is held
    to follows from its `abilities`.
    `tolerance`: relative error (rms) for blobs of two voxels' width; `ball_tolerance`: for a ball
    of six voxels' radius, whose edge is sharp; `adjoint_tolerance`: of ⟨Ax,y⟩ - ⟨x,Aᵀy⟩ relative
    to ‖Ax‖‖y‖; `gradient_tolerance`: of pose gradients against finite differences, relative.
    """

    tolerance: ClassVar[float] = 0.04
    ball_tolerance: ClassVar[float] = 0.1
    adjoint_tolerance: ClassVar[float] = 1e-5
    gradient_tolerance: ClassVar[float] = 0.05

    @pytest.fixture
    def projector(self, build: Build) -> Projector:
        """The projector of the common grid."""
        made: Projector = build(GRID)
        return made

    @pytest.fixture
    def views(self, projector: Projector) -> Views:
        """Views that the projector can follow."""
        return seen_by(GRID, some_poses(Ability.TILTED_AXIS in projector.abilities))

    @pytest.mark.parametrize(
        "shape",
        [(18, 18, 18), (17, 22, 20), (22, 14, 25), (17, 25, 18)],
        ids=["cube", "low", "thin", "thick"],
    )
    def test_line_integrals_of_blobs(self, build: Build, shape: Shape) -> None:
        """Both channels, even and odd sizes, images that are not square."""
        grid = Grid(shape, SPACING)
        projector, specimen = build(grid), blobs(grid)
        views = seen_by(grid, some_poses(Ability.TILTED_AXIS in projector.abilities))
        exact = specimen.integral(views.rays(Pixels.rows(views.shape)))
        found = projector.project(specimen, views)
        assert found.shape == exact.shape
        assert error(found, exact) <= self.tolerance

    def test_line_integrals_of_a_ball(self, projector: Projector, views: Views) -> None:
        """Chords."""
        ball = Ball(GRID, torch.tensor([1.0, -0.7, 0.6]) * SPACING, 6 * SPACING)
        exact = ball.integral(views.rays(Pixels.rows(views.shape)))
        assert error(projector.project(ball, views), exact) <= self.ball_tolerance

    @torch.no_grad()
    def test_a_particle_lands_where_the_formula_says(self, projector: Projector) -> None:
        """To 0.05 pixels, for every sign of place, tilt, rotation, axis tilt and shift."""
        tilted = 6.0 if Ability.TILTED_AXIS in projector.abilities else 0.0
        sizes = torch.tensor([38.0, 17.0, tilted, 1.3 * SPACING, 0.6 * SPACING])
        signs = torch.tensor(list(product((1.0, -1.0), repeat=5)))
        tilt, rotation, out, dx, dy = (signs * sizes).T
        poses = Poses.of(tilt, rotation, out, torch.stack((dx, dy), 1))
        for at in torch.tensor(list(product((3.7, -3.7), (2.9, -2.9), (3.3, -3.3)))) * SPACING:
            particle = Gaussians(GRID, at[None], 1.2 * SPACING, torch.ones(1, 1))
            found = centroids(projector.project(particle, seen_by(GRID, poses))[0])
            wanted = landing(at, tilt, rotation, out) + poses.shift
            assert (found - wanted / SPACING).abs().max() <= 0.05, f"of a particle at {at}"

    def test_is_adjoint_to_its_gradient(self, projector: Projector, views: Views) -> None:
        """⟨Ax,y⟩ = ⟨x,Aᵀy⟩ for rough x and y; Aᵀy is the gradient at another place than x."""
        if Ability.LINEAR not in projector.abilities:
            pytest.skip("not LINEAR")
        volume = Voxels(Voxels.Options(), GRID, channels=2)
        (values,) = volume.parameters()
        y = torch.randn(2, *views.shape)
        values.data = torch.randn_like(values)
        (back,) = torch.autograd.grad((projector.project(volume, views) * y).sum(), values)
        x = values.data = torch.randn_like(values)
        forward = projector.project(volume, views).detach()
        gap = float((forward * y).sum() - (x * back).sum())
        assert abs(gap) <= self.adjoint_tolerance * float(forward.norm() * y.norm())

    @torch.no_grad()
    def test_apart_means_apart(self, projector: Projector, views: Views) -> None:
        """Images of a box are the sums of its slabs', if it says so."""
        if not projector.apart:
            pytest.skip("it wants to see the whole box")
        whole, middle = Voxels(Voxels.Options(), GRID, 2), GRID.shape[0] // 3
        whole.values.uniform_(-1, 1)
        found = torch.zeros(())
        for held in (slice(0, middle), slice(middle, GRID.shape[0])):
            slab = Voxels(Voxels.Options(), slab_of(GRID, held), 2)
            slab.values.copy_(whole.values[:, held])
            found = found + projector.on(slab.grid).project(slab, views)
        assert error(found, projector.project(whole, views)) <= self.adjoint_tolerance

    @pytest.mark.parametrize("which", ["tilt", "rotation", "out_of_plane", "dx", "dy"])
    def test_pose_gradients(self, projector: Projector, which: str) -> None:
        """Against central differences of a fifth of a degree or a tenth of a pixel."""
        if Ability.POSES not in projector.abilities:
            pytest.skip("not POSES")
        tilted_axis = Ability.TILTED_AXIS in projector.abilities
        if which == "out_of_plane" and not tilted_axis:
            pytest.skip("not TILTED_AXIS")
        specimen, start = blobs(GRID, 3.0), some_poses(tilted_axis).angles()
        measured = projector.project(
            specimen, seen_by(GRID, _moved(start, some_poses(tilted_axis)))
        )

        def losses(change: Tensor) -> Tensor:
            angles = start._replace(**{which: getattr(start, which) + change})
            poses = Poses.of(*angles[:3], shift=torch.stack(angles[3:], 1))
            predicted = projector.project(specimen, seen_by(GRID, poses))
            return (predicted - measured).square().sum((0, 2, 3))

        step = 0.1 * SPACING if which in ("dx", "dy") else 0.2
        change = torch.zeros(len(start.tilt), requires_grad=True)
        (gradient,) = torch.autograd.grad(losses(change).sum(), change)
        ahead, behind = torch.full_like(change, step), torch.full_like(change, -step)
        differences = (losses(ahead) - losses(behind)).detach() / (2 * step)
        assert error(gradient, differences) <= self.gradient_tolerance

    def test_parts_add_up_to_the_same_slopes(self, projector: Projector) -> None:
        """At nominal poses, where images fall on voxels exactly: so a team learns as one does."""
        if not projector.abilities >= {Ability.POSES, Ability.BLOCKS}:
            pytest.skip("not POSES and BLOCKS")
        tilts, specimen = torch.linspace(-50, 50, 6), blobs(GRID)
        data = torch.rand(2, *seen_by(GRID, Poses.of(tilts)).shape)

        def slopes(*parts: slice) -> Tensor:
            shift = torch.zeros(6, 2, requires_grad=True)
            views = seen_by(GRID, Poses.of(tilts, shift=shift))
            rows = Pixels.rows(views.shape)
            for some in map(rows.part, parts):
                off = (
                    projector.project(specimen, views, some)
                    - data[:, some.view, some.row, some.column]
                )
                off.square().sum().backward(retain_graph=True)
            assert shift.grad is not None
            return shift.grad

        assert error(slopes(slice(0, 7), slice(7, 8), slice(8, None)), slopes(slice(None))) < 1e-3

    def test_some_pixels_are_those_of_all(self, projector: Projector, views: Views) -> None:
        """Rows in any order, of some views; scattered pixels."""
        specimen = blobs(GRID)
        whole = projector.project(specimen, views)
        for pixels in _patterns(projector, views.shape):
            wanted = whole[:, pixels.view, pixels.row, pixels.column]
            found = projector.project(specimen, views, pixels)
            assert found.shape == wanted.shape
            assert error(found, wanted) < 1e-5

    def test_samples_follow_the_draw(self, projector: Projector) -> None:
        """The same draw, the same pixels; another step, others; about as many as asked for."""
        series = TiltSeries(torch.rand(6, 23, 26), torch.linspace(-50, 50, 6), SPACING)
        budget = series.images.numel() // 2

        def sample(step: int) -> tuple[Tensor, ...]:
            pixels = projector.sample(series, budget, Draw(seed=3, step=step))
            return torch.broadcast_tensors(pixels.view, pixels.row, pixels.column)

        first, again, other = sample(1), sample(1), sample(2)
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
        for index, limit in zip(first, series.shape, strict=True):
            assert index.min() >= 0
            assert index.max() < limit
        if projector.abilities & {Ability.PIXELS, Ability.BLOCKS}:
            assert budget / 2 <= first[0].numel() <= 2 * budget
            assert not all(map(torch.equal, first, other))


def _patterns(projector: Projector, shape: Shape) -> list[Pixels]:
    """Batches of the kinds that the projector can cast."""
    found = []
    if Ability.BLOCKS in projector.abilities:
        rows, views = torch.randperm(shape[1])[:5], torch.randperm(shape[0])[:3]
        found += [Pixels.rows(shape, rows), Pixels.rows(shape, rows[:1], views)]
    if Ability.PIXELS in projector.abilities:
        found.append(Pixels(*(torch.randint(n, (50,)) for n in shape)))
    return found


def _moved(start: Angles, by: Poses) -> Poses:
    """A tenth of the way towards other poses: some degrees and a fraction of a pixel."""
    tilt, rotation, out, dx, dy = (a + 0.1 * b for a, b in zip(start, by.angles(), strict=True))
    return Poses.of(tilt, rotation, out, torch.stack((dx, dy), 1))
