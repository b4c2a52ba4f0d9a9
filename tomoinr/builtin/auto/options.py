"""What may be asked of the automatic solver."""

from __future__ import annotations

from dataclasses import dataclass

from tomoinr.builtin.auto.balance import Balance
from tomoinr.options import option


@dataclass(frozen=True)
class AutoOptions:
    """Options of the automatic solver."""

    steps: int = option(0, "steps in all; 0: as many as the parts below ask for", low=0)
    preview: int = option(100, "iterations of TV on the images' own lattice", low=2)
    pose_steps: int = option(400, "batches that find poses, where they are far off", low=1)
    capture: float = option(2.0, "pixels by which such poses may be off", low=0)
    finer: int = option(
        0,
        "voxels along a pixel's edge, in the last part; 0: 2, or 1 where memory is short",
        low=0,
        high=4,
    )
    together: int = option(
        0,
        "rows of pixels whose slices are on the finest voxels at a time, from which memory "
        "follows; 0: all, or as many as memory has room for",
        low=0,
    )
    memory: float = option(0.0, "GiB that it may take in all, about; 0: as `within` says", low=0)
    within: float = option(
        3.0,
        "times what volume and images take up that it may take on a CPU, where these are more than "
        "64 MiB; 0: all that is free",
        low=0,
    )
    rounds: int = option(6, "times that poses and noise are found anew on it", low=0)
    round_steps: int = option(45, "iterations of TV in each round", low=1)
    caution: float = option(
        0.0,
        "edges kept down, in standard errors of a voxel that all views see; 0: as held-out "
        "images say",
        low=0,
    )
    balance: Balance = option(
        "gain", "what of each image's brightness is evened out: its gain, or its offset as well"
    )
