"""The methods: two oracles, the paper's, every representation, and the one that needs no choice.

An oracle is tuned by the truth, which no user has. Where poses are off, methods that cannot learn
them are given the true ones, unless their name ends in `+recorded`; those that can learn them are
given the true ones only if it ends in `+true`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tomoinr import Reconstruction, Record, TomoinrError, reconstruct
from tomoinr.interfaces import Problem
from tomoinr.metrics import score
from tomoinr.plugins import Plugins
from trials.cells import Case, Cell

CHECKPOINTS = (5, 7, 10, 14, 20, 28, 40, 57, 80, 113, 160, 226, 320, 453, 640, 905)
WEIGHTS = (0.0075, 0.015, 0.03, 0.06, 0.12, 0.24)  # of typical density
MOST_WEIGHTS = 12
QUALITIES = ("fast", "default", "best")
REPRESENTATIONS = ("voxels", "siren", "hsiren", "fourier", "grid", "kplanes")
STARTS = ("true", "recorded")
POSES_KEPT = ("sirt", "tv", "paper")
DEFAULT = (
    *("sirt", "sirt+recorded", "tv", "tv+recorded", "paper"),
    *REPRESENTATIONS,
    *("auto", "auto+true"),
)


@dataclass(frozen=True, eq=False)
class Outcome:
    """A result; the seconds of the run that gave it; what the oracle chose, if there was one."""

    voxels: np.ndarray
    found: Reconstruction
    seconds: float
    chosen: str = ""


@dataclass(frozen=True)
class Method:
    """`name[:steps or quality][+true or +recorded]`."""

    text: str
    name: str
    setting: str
    start: str

    @classmethod
    def parse(cls, text: str) -> Method:
        """From what the command line says."""
        rest, _, start = text.partition("+")
        name, _, setting = rest.partition(":")
        known = (*POSES_KEPT, *REPRESENTATIONS, "auto")
        fits = not setting or setting in QUALITIES or setting.isdecimal()
        if name not in known or start not in ("", *STARTS) or not fits:
            raise TomoinrError(
                f"'{text}' is no method; write name[:steps or quality][+true or +recorded] "
                f"with a name of {', '.join(known)}"
            )
        return cls(text, name, setting, start)

    def suits(self, cell: Cell) -> bool:
        """Where poses are right, there is one way to start."""
        return cell.moved or not self.start

    def missing(self, plugins: Plugins) -> str:
        """What is not installed, or nothing."""
        if self.name == "auto":
            return "" if plugins.has("solver", "auto") else "no solver is called 'auto'"
        volume = {"sirt": "voxels", "tv": "voxels", "paper": "hsiren"}.get(self.name, self.name)
        return "" if plugins.has("volume", volume) else f"no volume is called '{volume}'"

    def options(self, case: Case) -> dict[str, Any]:
        """What its setting and its start mean for `reconstruct`."""
        default = "true" if self.name in POSES_KEPT else "recorded"
        true = (self.start or default) == "true"
        chosen: dict[str, Any] = {"start": case.poses()} if true else {}
        if self.setting:
            by_quality = self.setting in QUALITIES
            value = self.setting if by_quality else int(self.setting)
            chosen["quality" if by_quality else "steps"] = value
        return chosen

    def solve(self, case: Case, moved: bool, seed: int) -> Outcome:
        """Reconstruct a case."""
        options = {"seed": seed, **self.options(case)}
        # Only `auto` has to find out by itself that poses are right.
        if "start" in options or not (moved or self.name == "auto"):
            options["poses"] = "fixed"
        ways: dict[str, Callable[..., Outcome]] = {
            "sirt": best_iteration,
            "tv": best_weight,
            "paper": as_in_the_paper,
            "auto": automatic,
        }
        if self.name in ways:
            return ways[self.name](case, options)
        return timed(case, solver="joint", volume=self.name, **options)


def timed(case: Case, chosen: str = "", **options: Any) -> Outcome:
    """One reconstruction, from the call to the volume."""
    begun = time.perf_counter()
    found = reconstruct(case.series, **options)
    return Outcome(found.voxels, found, time.perf_counter() - begun, chosen)


class Oracle:
    """An observer that keeps the iterate nearest to the truth, and times none of its own work."""

    def __init__(self, truth: np.ndarray) -> None:
        self.truth = truth
        self.ssim, self.voxels, self.step = -1.0, truth, 0
        self.seconds, self.spent, self.begun = 0.0, 0.0, time.perf_counter()

    def __call__(self, record: Record, problem: Problem) -> None:
        if (step := record.step) not in CHECKPOINTS:
            return
        seen = time.perf_counter()
        voxels = problem.voxels()[0].numpy()
        ssim = score(voxels, self.truth).ssim
        if ssim > self.ssim:
            self.ssim, self.voxels, self.step = ssim, voxels, step
            self.seconds = seen - self.begun - self.spent
        self.spent += time.perf_counter() - seen


def best_iteration(case: Case, options: dict[str, Any]) -> Outcome:
    """SIRT, stopped where it is nearest to the truth."""
    oracle = Oracle(case.truth)
    options = {"steps": CHECKPOINTS[-1], **options}
    found = reconstruct(case.series, solver="sirt", observers=[oracle], **options)
    return Outcome(oracle.voxels, found, oracle.seconds, f"{oracle.step} iterations")


def best_weight(case: Case, options: dict[str, Any]) -> Outcome:
    """TV with the weight that comes nearest to the truth; the seconds are of that run alone.

    Of six, and of those beyond while the best is the last: halves, or doubles.
    """
    tried: dict[float, tuple[float, Outcome]] = {}

    def best() -> float:
        return max(tried, key=lambda weight: tried[weight][0])

    def attempt(weight: float) -> None:
        solver = {"name": "tv", "weight": weight}
        outcome = timed(case, f"weight {weight:g}", solver=solver, **options)
        tried[weight] = score(outcome.voxels, case.truth).ssim, outcome

    for weight in WEIGHTS:
        attempt(weight)
    while len(tried) < MOST_WEIGHTS and best() in (min(tried), max(tried)):
        attempt(best() / 2 if best() == min(tried) else best() * 2)
    return tried[best()][1]


def as_in_the_paper(case: Case, options: dict[str, Any]) -> Outcome:
    """Its network, rays and optimiser; no prior, and poses as given."""
    from tomoinr_inr.hsiren import PAPER, PAPER_TRAINING  # a plugin, not needed for the rest

    steps = options.pop("steps", 60)  # far too few, but each takes seconds on a CPU
    return timed(
        case,
        solver={"name": "joint", **PAPER_TRAINING, "steps": steps},
        volume={"name": "hsiren", **PAPER},
        projector="quadrature",
        priors=[],
        **options | {"poses": "fixed"},
    )


def automatic(case: Case, options: dict[str, Any]) -> Outcome:
    """The solver `auto`: nothing is told to it but the data."""
    return timed(case, solver="auto", **options)
