"""Pose models that learn where each image was taken, and how well each pose is known."""

from tomoinr.hookspecs import hookimpl
from tomoinr.interfaces import PoseModel
from tomoinr_poses.error_bars import PoseErrors, errors
from tomoinr_poses.euler import Euler
from tomoinr_poses.rigid import Rigid
from tomoinr_poses.shift import Shift
from tomoinr_poses.spline import Spline

__all__ = ["Euler", "PoseErrors", "Rigid", "Shift", "Spline", "errors"]


@hookimpl
def tomoinr_pose_models() -> list[type[PoseModel]]:
    """From the fewest freedoms to the most."""
    return [Shift, Spline, Rigid, Euler]
