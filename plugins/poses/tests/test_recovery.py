"""Poses alone, learned from noiseless images and a volume that is the truth."""

import pytest
import torch

from tomoinr.builtin.quadrature import Quadrature
from tomoinr.geometry import Poses, turn_z
from tomoinr.testing.specimens import Gaussians, blobs
from tomoinr_poses import Euler, Rigid, Spline
from tomoinr_poses.units import degrees_per_pixel


def learn(problem, steps=150, rate=0.2):
    """Adam with one rate for shifts and angles, falling to nothing."""
    adam = torch.optim.Adam(problem.poses.parameters(), rate, betas=(0.9, 0.95))
    fall = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    for _ in range(steps):
        adam.zero_grad()
        (problem.predict() - problem.series.images).square().mean().backward()
        adam.step()
        fall.step()
    return problem.poses().to("cpu")


def poses_near(cls, options, nominal, grid):
    """What a model makes of corrections of some 1.5 pixels and 2°."""
    model = cls(options, nominal, grid)
    for name, parameter in model.named_parameters():
        size = 1.5 if name == "pixels" else 2 / degrees_per_pixel(grid)
        parameter.data = size * torch.randn_like(parameter)
    return model().to("cpu")


def angle(first, second):
    """By how much two rotations (T,3,3) differ, at most, in degrees."""
    off = first @ second.mT
    twice_sine = torch.stack([off[:, i, j] - off[:, j, i] for i, j in ((2, 1), (0, 2), (1, 0))], 1)
    return float(torch.rad2deg(twice_sine.norm(dim=1) / 2).max())


@pytest.mark.parametrize(
    ("cls", "options"),
    [(Rigid, Rigid.Options(tilt=False)), (Spline, Spline.Options(knots=9))],
    ids=["rigid", "spline"],
)
def test_shifts_and_rotations_are_found(cls, options, pose_problem, aligned, grid):
    truth = poses_near(cls, options, aligned, grid)
    assert angle(truth.rotation, aligned.rotation) > 2
    found = learn(pose_problem(truth, cls(options, aligned, grid)))
    assert (found.shift - truth.shift).abs().max() / grid.spacing < 0.05
    assert angle(found.rotation, truth.rotation) < 0.1


@pytest.mark.parametrize(
    ("cls", "options"),
    [(Euler, Euler.Options()), (Rigid, Rigid.Options(tilt=True, out_of_plane=True))],
    ids=["euler", "rigid"],
)
def test_tilted_axes_are_found(cls, options, pose_problem, grid):
    nominal = Poses.of(torch.tensor([-50.0, 3.0, 25.0, 55.0]))
    truth = poses_near(cls, options, nominal, grid)
    assert truth.angles().out_of_plane.abs().max() > 0.5
    projector = Quadrature(Quadrature.Options(), grid)
    model = cls(options, nominal, grid)
    # z1 and z3 all but cancel at low tilt, which takes more steps.
    found = learn(pose_problem(truth, model, projector=projector), steps=250)
    assert (found.shift - truth.shift).abs().max() / grid.spacing < 0.05
    assert angle(found.rotation, truth.rotation) < 0.1


def test_any_shifts_are_found_up_to_a_motion_of_the_specimen(pose_problem, aligned, grid):
    """The volume may have formed elsewhere: shifts then differ by just what that motion makes."""
    turned = turn_z(2 * torch.randn(9)) @ aligned.rotation
    truth = Poses(turned, aligned.shift + 1.5 * grid.spacing * torch.randn(9, 2))
    before, after = (p.rotation[:, :2].reshape(-1, 3) for p in (aligned, truth))
    motion = torch.linalg.solve(
        before.T @ after, before.T @ (truth.shift - aligned.shift).flatten()
    )
    here = blobs(grid)
    there = Gaussians(grid, here.centres + motion, here.width, here.weights)
    found = learn(pose_problem(truth, Rigid(Rigid.Options(), aligned, grid), there))
    assert (found.shift - truth.shift).abs().max() / grid.spacing > 0.3
    undone = found.shift + (truth.rotation @ motion)[:, :2]
    # Blobs resampled half a voxel away are not quite the same: the tolerances are for that.
    assert (undone - truth.shift).abs().max() / grid.spacing < 0.05
    assert angle(found.rotation, truth.rotation) < 0.5
