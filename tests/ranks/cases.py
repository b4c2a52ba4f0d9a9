"""Solvers to be tried on several ranks, and what they are given."""

from dataclasses import replace

from tomoinr.builtin.joint import Joint
from tomoinr.builtin.quadrature import Quadrature
from tomoinr.builtin.sirt import Sirt
from tomoinr.builtin.tv import Tv
from tomoinr.options import parse
from tomoinr.testing.solvers import GRID
from tomoinr_inr import Siren
from tomoinr_poses import Rigid


def rays(problem):
    """With a network and poses to be learned, along rays."""
    made = Siren(parse(Siren.Options, {"width": 16, "depth": 2}, "siren"), GRID, 1)
    return replace(slices(problem), volume=made, projector=Quadrature(Quadrature.Options(), GRID))


def slices(problem):
    """With poses to be learned, slice by slice."""
    poses = Rigid(parse(Rigid.Options, {}, "rigid"), problem.poses(), GRID)
    return replace(problem, poses=poses)


def same(problem):
    return problem


JOINT = {"steps": 12, "batch": 600}
CASES = {
    "sirt": (Sirt, {"steps": 12}, same),
    "tv": (Tv, {"steps": 12}, same),
    "joint on slices": (Joint, JOINT, slices),
    "joint on rays": (Joint, JOINT, rays),
}
