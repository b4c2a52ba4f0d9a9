"""Files: what comes in, and what goes out whole or not at all."""

from tomoinr.io.angles import read_angles
from tomoinr.io.outputs import check_file, check_folder
from tomoinr.io.poses import read_poses, write_poses
from tomoinr.io.reading import describe, load, open_stack, take
from tomoinr.io.saving import RESULTS, save, save_reconstruction

__all__ = [
    "RESULTS",
    "check_file",
    "check_folder",
    "describe",
    "load",
    "open_stack",
    "read_angles",
    "read_poses",
    "save",
    "save_reconstruction",
    "take",
    "write_poses",
]
