"""Corrections hold nothing that a motion of the whole specimen could undo, and all else."""

import pytest
import torch
from torch.func import functional_call, jacrev

from tomoinr.geometry import Pixels, Poses, place
from tomoinr.options import NoOptions, parse
from tomoinr.testing.parts import stir
from tomoinr.testing.specimens import Gaussians, blobs
from tomoinr_poses import Euler, Rigid, Shift

TILTS = 9
SHIFTS = 2 * TILTS - 3  # the specimen moves along x, y and z
FREEDOMS = {
    "shift": SHIFTS,
    "rigid": SHIFTS + TILTS,
    "rigid-tilt": SHIFTS + TILTS + (TILTS - 2),  # not their mean, nor a scale
    "rigid-out": SHIFTS + TILTS + (TILTS - 2),  # the specimen turns about x and z
    "rigid-all": SHIFTS + TILTS + 2 * (TILTS - 2),
    "euler": SHIFTS + 2 * (TILTS - 1),  # the reference stays
    "euler-first": SHIFTS + 2 * (TILTS - 1),
}


def double(poses):
    return Poses(poses.rotation.double(), poses.shift.double())


def motions(poses):
    """Changes (T, 5, 6) of all poses when the specimen moves along, or turns about, x, y, z."""
    along = torch.cat((torch.zeros_like(poses.rotation), poses.rotation[:, :2]), dim=1)
    about = torch.cat((poses.rotation, torch.zeros_like(poses.rotation[:, :2])), dim=1)
    return torch.cat((along, about), dim=2)


def changes(model):
    """Changes (T, 5, parameters) of the poses: turn about the laboratory's x, y, z, and shift."""
    start = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}

    def poses(parameters):
        found = functional_call(model, parameters, ())
        return found.rotation, found.shift

    turned, moved = jacrev(poses)(start)
    turned = torch.cat([j.flatten(3) for j in turned.values()], dim=-1)
    moved = torch.cat([j.flatten(2) for j in moved.values()], dim=-1)
    spin = torch.einsum("tijp,tkj->tikp", turned, model().rotation)
    return torch.cat((spin[:, [2, 0, 1], [1, 2, 0]], moved), dim=1).detach()


def rank(columns):
    flat = columns.flatten(0, 1)
    return int(torch.linalg.matrix_rank(flat / flat.norm(dim=0).clamp(min=1e-9), rtol=1e-5))


def test_no_motion_of_the_specimen_is_a_correction(variant, aligned, grid, request):
    cls, options = variant
    model = cls(parse(cls.Options, options, cls.name), double(aligned), grid)
    for size in (0.0, 0.5):  # at the nominal poses, where modes were found, and away from them
        stir(model, size)
        freedoms = changes(model)
        both = torch.cat((freedoms, motions(model())), dim=2)
        assert rank(both) == rank(freedoms) + 6
        name = request.node.callspec.id.split("-axis")[0]
        assert rank(freedoms) == FREEDOMS.get(name, rank(freedoms))


def test_the_modes_of_shifts_are_motions_of_the_specimen(aligned, grid):
    """A specimen moved by t, seen with shifts less R t, gives the same images."""
    shape, specimen, t = (TILTS, 20, 22), blobs(grid), torch.tensor([2.0, -3.0, 4.0])
    moved = Gaussians(grid, specimen.centres + t, specimen.width, specimen.weights)
    model = Shift(NoOptions(), aligned, grid)
    change = (aligned.rotation @ t)[:, :2]
    model.pixels.data = change / grid.spacing
    assert torch.allclose(model().shift, aligned.shift, atol=1e-5)

    def images(specimen, poses):
        rays = place(poses, shape, grid.spacing).rays(Pixels.rows(shape))
        return specimen.integral(rays)

    back = Poses(aligned.rotation, aligned.shift - change)
    assert torch.allclose(images(moved, back), images(specimen, aligned), atol=1e-4)


def test_modes_in_the_usual_frame(grid):
    """With the axis along y: dx ~ cos α or sin α and a constant dy are lost, the rest is kept."""
    tilt = torch.linspace(-60.0, 55.0, TILTS).double()
    radians = torch.deg2rad(tilt)
    model = Shift(NoOptions(), Poses.of(tilt), grid)
    zero, one = torch.zeros_like(tilt), torch.ones_like(tilt)
    lost = [(radians.cos(), zero), (radians.sin(), zero), (zero, one)]
    for dx, dy in lost:
        model.pixels.data = torch.stack((dx, dy), dim=1)
        assert model().shift.abs().max() < 1e-9
    kept = torch.stack((radians.sin(), radians.cos() - radians.cos().mean()), dim=1)
    model.pixels.data = kept * torch.tensor([0.0, 1.0])
    assert torch.allclose(model().shift / grid.spacing, model.pixels)


@pytest.mark.parametrize(("arc", "mode"), [("tilt_arc", "poly"), ("axis_arc", "circle")])
def test_angles_lose_their_modes_only(arc, mode, aligned, grid):
    """Tilt corrections: mean and scale; out-of-plane angles: cos α and sin α."""
    model = Rigid(Rigid.Options(tilt=True, out_of_plane=True), double(aligned), grid)
    tilt = double(aligned).angles().tilt
    radians = torch.deg2rad(tilt)
    modes = {"poly": (torch.ones_like(tilt), tilt), "circle": (radians.cos(), radians.sin())}[mode]
    for values in modes:
        getattr(model, arc).data = values / values.abs().max()
        assert (model().rotation - aligned.rotation).abs().max() < 1e-6
    getattr(model, arc).data = radians**2
    assert (model().rotation - aligned.rotation).abs().max() > 1e-2


def test_tilts_are_held_in_reserve_unless_something_else_is_said(aligned, grid):
    held, never, always = (
        Rigid(Rigid.Options(tilt), aligned, grid) for tilt in (None, False, True)
    )
    assert never.tilt_arc is None
    assert [model.tilt_arc.requires_grad for model in (held, always)] == [False, True]
    for model in (held, always):  # the same parameters, whoever sets them free
        model.tilt_arc.data = torch.linspace(-1, 1, TILTS) ** 2
    assert torch.equal(held().rotation, always().rotation)
    assert not torch.allclose(held().rotation, aligned.rotation, atol=1e-3)


def test_the_mean_rotation_is_kept(aligned, grid):
    """The tilt axis' azimuth is real: turning every image alike is not turning the specimen."""
    model = Rigid(Rigid.Options(), double(aligned), grid)
    model.arc.data += 1.0
    change = model().angles().rotation - double(aligned).angles().rotation
    assert torch.allclose(change, change[0].expand(TILTS)) and change[0] > 1


def test_the_reference_stays(aligned, grid):
    for reference, index in ((None, 4), (2, 2)):
        model = Euler(Euler.Options(reference), aligned, grid)
        stir(model, 1.0)
        poses = model()
        assert torch.allclose(poses.rotation[index], aligned.rotation[index], atol=1e-6)
        assert torch.allclose(poses.shift[index], aligned.shift[index], atol=1e-5)


def test_coinciding_modes_are_removed_once(grid):
    """Two images leave one shift to learn: along the axis, one against the other."""
    model = Shift(NoOptions(), Poses.of(torch.tensor([10.0, 10.0])), grid)
    stir(model, 1.0)
    assert (model().shift[0] + model().shift[1]).abs().max() < 1e-5
    assert model().shift.abs().min() > 1e-3
