"""Files: what comes in, and what goes out whole or not at all."""

from tomoinr.io.angles import read_angles
from tomoinr.io.collecting import collect
from tomoinr.io.gathering import Signal, described, gather
from tomoinr.io.outputs import check_file, check_folder
from tomoinr.io.poses import read_poses, write_poses
from tomoinr.io.reading import describe, load, open_stack, take
from tomoinr.io.saving import RESULTS, results, save, save_reconstruction

__all__ = [
    "RESULTS",
    "Signal",
    "check_file",
    "check_folder",
    "collect",
    "describe",
    "described",
    "gather",
    "load",
    "open_stack",
    "read_angles",
    "read_poses",
    "results",
    "save",
    "save_reconstruction",
    "take",
    "write_poses",
]
