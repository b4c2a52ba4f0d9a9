"""What can be chosen of quantEM's network and its training, with its own defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tomoinr.options import option


@dataclass(frozen=True)
class Options:
    """Options of quantEM's network."""

    steps: int | None = option(None, "batches; none: as many as `passes` say", low=1)
    passes: int = option(10, "times that every pixel is seen (quantEM's num_iter)", low=1)
    every: int = option(50, "batches between two reports", low=1)
    batch: int = option(1024, "pixels in a batch", low=1)
    network: Literal["hsiren", "siren"] = option("hsiren", "quantEM's class of network")
    width: int = option(256, "features of a hidden layer", low=1)
    layers: int = option(3, "hidden layers", low=1)
    omega: float = option(30.0, "frequency of the first layer (first_omega_0)", low=0)
    noise: bool = option(True, "random numbers added to the first weights (winner_initialization)")
    rate: float = option(1e-4, "step size of the network's Adam", low=0)
    tv: float = option(0.0, "weight of the density's total variation (tv_vol)", low=0)
    learn_poses: bool = option(False, "also learn shifts and the axis's angles z1 and z3")
    pose_rate: float = option(1e-2, "step size of the poses' Adam", low=0)
