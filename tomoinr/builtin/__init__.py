"""The plainest part of each kind, registered through the same hooks as anyone's."""

from tomoinr.builtin.auto import Auto
from tomoinr.builtin.coarse import coarse_alignment
from tomoinr.builtin.fbp import Fbp
from tomoinr.builtin.fixed import Fixed
from tomoinr.builtin.fused import Fused
from tomoinr.builtin.fused.leading import shared
from tomoinr.builtin.joint import Joint
from tomoinr.builtin.mrc import tomoinr_read as tomoinr_read
from tomoinr.builtin.mrc import tomoinr_write as tomoinr_write
from tomoinr.builtin.pose_files import tomoinr_read_poses as tomoinr_read_poses
from tomoinr.builtin.pose_files import tomoinr_write_poses as tomoinr_write_poses
from tomoinr.builtin.preparations import tomoinr_preparations as tomoinr_preparations
from tomoinr.builtin.priors import Sparsity, TotalVariation
from tomoinr.builtin.quadrature import Quadrature
from tomoinr.builtin.sirt import Sirt
from tomoinr.builtin.slices import Slices
from tomoinr.builtin.tv import Tv
from tomoinr.builtin.voxels import Voxels
from tomoinr.data import Alignment, TiltSeries
from tomoinr.hookspecs import hookimpl
from tomoinr.interfaces import PoseModel, Prior, Projector, Solver, Volume


@hookimpl
def tomoinr_volumes() -> list[type[Volume]]:
    """Voxels."""
    return [Voxels]


@hookimpl
def tomoinr_pose_models() -> list[type[PoseModel]]:
    """Fixed poses."""
    return [Fixed]


@hookimpl
def tomoinr_projectors() -> list[type[Projector]]:
    """Any ray, or fast slices."""
    return [Quadrature, Slices]


@hookimpl
def tomoinr_priors() -> list[type[Prior]]:
    """Total variation and sparsity."""
    return [Sparsity, TotalVariation]


@hookimpl
def tomoinr_solvers() -> list[type[Solver]]:
    """Iterative and direct solvers."""
    return [Auto, Fbp, Fused, Joint, Sirt, Tv]


@hookimpl(trylast=True)
def tomoinr_align(series: TiltSeries) -> Alignment:
    """Centre of mass, or correlation; turns from what the rows have in common."""
    if len(series.channels) == 1:
        return coarse_alignment(series)
    return shared(series, coarse_alignment)
