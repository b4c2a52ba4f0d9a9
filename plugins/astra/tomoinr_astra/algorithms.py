"""Our solvers as ASTRA algorithms: what `astra.algorithm` creates and runs once registered."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ClassVar, TypeVar

import astra

from tomoinr import Plugins, Poses, Record
from tomoinr.errors import TomoinrError, reason
from tomoinr.loop import Observer
from tomoinr_astra import store, wishes
from tomoinr_astra.scene import scene
from tomoinr_astra.solve import Memory, Run

OLDEST = 2, 5  # ASTRA 2.4 tells other geometries, and ends the process in 3-D
Method = TypeVar("Method", bound=Callable[..., None])
SPELLED = str.maketrans(
    {"×": "x", "Å": "A", "°": " degrees", "λ": "lambda", "φ": "phi", "–": "-", "…": "...", "−": "-"}
)
log = logging.getLogger(__name__)


def in_ascii(method: Method) -> Method:
    """Errors as one line of ASCII and without a history: all that ASTRA can pass on."""

    @wraps(method)
    def guarded(*arguments: Any) -> None:
        try:
            method(*arguments)
            return
        except KeyboardInterrupt:
            message = "interrupted"
        except Exception as error:
            if not isinstance(error, TomoinrError):
                log.exception("an error that ASTRA will shorten")
            message = reason(error).translate(SPELLED)
        raise TomoinrError(message.encode("ascii", "replace").decode())

    return guarded  # type: ignore[return-value]


class Algorithm:
    """What ASTRA asks of an algorithm. After a run: poses, history and notes.

    `observers` are called with (record, problem) during a run.
    """

    astra_name: ClassVar[str]
    method: ClassVar[str]

    def __init__(self) -> None:
        self.poses: Poses | None = None
        self.history: tuple[Record, ...] = ()
        self.notes: tuple[str, ...] = ()
        self.observers: list[Observer] = []

    @in_ascii
    def astra_init(self, config: Mapping[str, Any]) -> None:
        """Check everything but the values of the data, which are read in each run."""
        name, plugins = self.astra_name, Plugins()
        held = store.look_up(config, name)
        scene(held.box, held.detector, name)
        order = wishes.read(config, self.method, plugins, name)
        self._run = Run(held, order, plugins, Memory(), name, self.observers)

    @in_ascii
    def run(self, iterations: int) -> None:
        """Reconstruct into ASTRA's volume, from what ASTRA's data hold now."""
        steps = self._run.order.wishes.steps or self._steps(iterations)
        result = self._run(steps)
        self.poses, self.history, self.notes = None, (), ("every pixel is zero: so is every voxel",)
        if result is not None:
            self.poses, self.history, self.notes = result.poses, result.history, result.notes

    def _steps(self, iterations: int) -> int | None:
        """As many as asked for; `astra.algorithm.run(id)` says 1, so a plan takes that for none."""
        return iterations if self.method != "auto" or iterations > 1 else None


class Tomoinr(Algorithm):
    """tomoinr's automatic method, or any other by its name; one slice, or a volume with poses.

    Options: method, quality, steps, seed, poses, volume, projector, GPUindex,
    ReconstructionMaskId, SinogramMaskId, MinConstraint, MaxConstraint, and those of the method.
    """

    astra_name, method = "TOMOINR", "auto"


class TomoinrSirt(Algorithm):
    """tomoinr's SIRT: run(n) makes n iterations on what the volume holds.

    Options: steps, seed, poses, projector, GPUindex, ReconstructionMaskId, SinogramMaskId,
    MinConstraint, MaxConstraint, relaxation, positive.
    """

    astra_name, method = "TOMOINR-SIRT", "sirt"


class TomoinrTv(Algorithm):
    """tomoinr's total variation: run(n) makes n iterations from what the volume holds.

    Options: weight, steps, seed, poses, projector, GPUindex, ReconstructionMaskId,
    SinogramMaskId, MinConstraint, MaxConstraint, positive.
    """

    astra_name, method = "TOMOINR-TV", "tv"


def register() -> None:
    """Make TOMOINR, TOMOINR-SIRT and TOMOINR-TV known to ASTRA; again does no harm."""
    if tuple(map(int, astra.__version__.split(".")[:2])) < OLDEST:
        raise TomoinrError(
            f"tomoinr's algorithms need ASTRA 2.5 or newer, this is {astra.__version__}; "
            "pip install --upgrade astra-toolbox"
        )
    for algorithm in (Tomoinr, TomoinrSirt, TomoinrTv):
        if algorithm.astra_name not in astra.plugin.get_registered():
            astra.plugin.register(algorithm)
