"""The page to read first: the parts, what each promises, and how they make a problem.

    TiltSeries → PoseModel → Views → Projector(Volume) → predicted pixels → Solver

Pose models end, and projectors begin, at `Views`; a solver sees `problem.predict` and the
`team`: nothing concrete. A plugin class is final: to vary one, wrap it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, ClassVar, NoReturn, Protocol

import torch
from torch import Tensor, nn

from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Grid, Pixels, Poses, Views, place
from tomoinr.options import NoOptions
from tomoinr.sampling import Draw
from tomoinr.team import Team


class Ability(Enum):
    """What a part can do, or needs its partners to do, in words an error can print."""

    PIXELS = "cast single pixels"
    BLOCKS = "cast whole detector rows"
    POSES = "carry gradients to the poses"
    LINEAR = "be linear in its voxels"  # a LINEAR volume has exactly one parameter
    TILTED_AXIS = "follow a tilt axis that leaves the detector plane"
    PRIORS = "weigh priors"
    GAPS = "take channels that lack images or are coarser than others"


class Component:
    """Every plugin class: a name, its options, what it can do and what it needs.

    `presets` holds the options that differ from their defaults at each quality (fast, best).
    """

    name: ClassVar[str]
    Options: ClassVar[type] = NoOptions
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    abilities: frozenset[Ability] = frozenset()
    needs: frozenset[Ability] = frozenset()
    options: Any


class Volume(Component, nn.Module, ABC):
    """The unknown specimen: made as `cls(options, grid, channels)`.

    `rate` is the step of Adam that suits its parameters, when typical densities are one.
    """

    grid: Grid
    channels: int
    rate: float = 1e-3

    def heed(self, series: TiltSeries) -> tuple[str, ...]:
        """Settle what depends on the images, before anything is learned; what was found, in words.

        It is kept in buffers, which become rank 0's, and must stay when the volume is asked again.
        """
        return ()

    @abstractmethod
    def density(self, points: Tensor) -> Tensor:
        """Density at points (..., 3) in Å: (..., channels); zero or smooth outside the box."""

    @abstractmethod
    def voxels(self, grid: Grid, slices: Tensor | None = None) -> Tensor:
        """Density on a lattice, or on some of its slices: (channels, slices, z, x)."""


class PoseModel(Component, nn.Module, ABC):
    """What is learned of each image's pose: made as `cls(options, nominal, grid)`.

    Parameters are in units that move the image by about a pixel, so one rate suits them all. Those
    that require no gradient are a reserve: a solver may set them free, if images ask for it.
    """

    @abstractmethod
    def forward(self) -> Poses:
        """The poses now believed, on the parameters' graph."""


class Projector(Component, ABC):
    """Specimen → pixels: made as `cls(options, grid)`.

    `apart`: it sees each slice by itself, so that a box's images are the sums of its slabs'.
    """

    apart: ClassVar[bool] = False
    options: Any
    grid: Grid

    @abstractmethod
    def sample(self, series: TiltSeries, budget: int, draw: Draw) -> Pixels:
        """About `budget` pixels for one step, in the pattern that suits this projector."""

    @abstractmethod
    def project(self, volume: Volume, views: Views, pixels: Pixels | None = None) -> Tensor:
        """Line integrals (density × Å) at some or all pixels: (channels, *pixels.shape)."""

    def on(self, grid: Grid) -> Projector:
        """The same projector for another box."""
        return type(self)(self.options, grid)  # type: ignore[call-arg]

    def share(self, views: Views, team: Team) -> None:
        """Have what these views need, if it is large, once for all ranks of a node."""

    def forget(self) -> None:
        """Let go of what is kept from call to call, and can be made anew."""


class Prior(Component, ABC):
    """What a plausible specimen looks like: made as `cls(options)`."""

    options: Any

    @abstractmethod
    def penalty(self, voxels: Tensor) -> Tensor:
        """Mean penalty of a raster (channels, slices, z, x) in units of its density: 0-d."""


class Preparation(Component, ABC):
    """A change of the images before anything is learned from them: made as `cls(options)`.

    `apart`: it treats each image by itself and needs no angles, so that large stacks are prepared
    on their way in, a few images at a time.
    """

    apart: ClassVar[bool] = False

    @abstractmethod
    def prepare(self, series: TiltSeries) -> TiltSeries:
        """The series after it."""


@dataclass(frozen=True, eq=False)
class Problem:
    """The data and the parts, put together; `scale` × density gives the units of the file."""

    series: TiltSeries
    grid: Grid
    volume: Volume
    poses: PoseModel
    projector: Projector
    priors: tuple[Prior, ...] = ()
    seed: int = 0
    scale: float | Tensor = 1.0  # one number, or one a channel (C,1,1,1)

    def to(self, device: torch.device) -> Problem:
        """The same problem on another device; modules move in place."""
        self.modules().to(device)
        return replace(self, series=self.series.to(device))

    def views(self) -> Views:
        """The images' geometry under the poses now believed."""
        return place(self.poses(), self.series.shape, self.series.pixel_size)

    def predict(self, pixels: Pixels | None = None) -> Tensor:
        """What the images should show: (channels, *pixels.shape)."""
        return self.projector.project(self.volume, self.views(), pixels)

    def modules(self) -> nn.ModuleDict:
        """Everything that learns, for optimisers, copies and checkpoints."""
        return nn.ModuleDict({"volume": self.volume, "poses": self.poses})

    def voxels(self, slices: Tensor | None = None) -> Tensor:
        """What is now believed, or some slices of it, in the file's units: (channels, y, z, x)."""
        with torch.no_grad():
            voxels = self.volume.voxels(self.grid, slices)
            return voxels * torch.as_tensor(self.scale, device=voxels.device)


class State(Protocol):
    """Where a solver stands: what a checkpoint must hold beside the parameters.

    It may have `notes`, lines of plain words on what was found; the result takes them over. It
    may tell how it is getting on by `stage`, `of`, `validation`, `moved` and `part`: what they
    mean is in `data.Record`, which they go to after each logged step. Without `of`, the solver's
    option `steps` counts. `current` is the problem that it works on, where that is another than the
    one given: observers get it.
    """

    step: int

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on as if never stopped.

        All ranks call it at the same time: what each holds a share of is put together by
        `team.gather`. Rank 0's is kept: dicts, lists, tuples, tensors, numbers, text and None.
        Before this, and before the last step, the problem's volume may be a rank's share alone.
        """
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there, on as many ranks as there are now; tensors come in host memory."""
        ...


class Solver(Component, ABC):
    """From data to volume, step by step: made as `cls(options)`.

    `partners` names, for each kind of part, those that go with this solver when the user names
    none: the first that is installed.
    """

    partners: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    @abstractmethod
    def init(self, problem: Problem, team: Team) -> State:
        """Everything before the first step."""

    @abstractmethod
    def step(self, problem: Problem, state: State, team: Team) -> Tensor:
        """One step; the loss (0-d), which is read only when logged."""

    @abstractmethod
    def done(self, problem: Problem, state: State) -> bool:
        """Whether to stop."""


ADVICE = {
    Ability.PIXELS: "the projector 'quadrature'",
    Ability.BLOCKS: "the projector 'slices'",
    Ability.POSES: "the projector 'slices' or 'quadrature'",
    Ability.TILTED_AXIS: "the projector 'quadrature'",
}


def check_fit(problem: Problem, solver: Solver) -> None:
    """Refuse parts that cannot work together, before anything costs time."""
    volume, poses, projector = problem.volume, problem.poses, problem.projector
    needed = {need: solver.name for need in solver.needs}
    needed |= {need: part.name for part in (volume, poses) for need in part.needs}
    if problem.priors and Ability.PRIORS not in solver.abilities:
        names = ", ".join(prior.name for prior in problem.priors)
        _refuse(f"{solver.name} uses no priors, but {names} was asked for", "the solver 'joint'")
    if problem.series.uneven and Ability.GAPS not in solver.abilities:
        what = f"{solver.name} takes every channel at every tilt, in pixels of one size"
        _refuse(f"{what}; {', '.join(problem.series.uneven)} differ", "the solver 'fused'")
    if any(p.requires_grad for p in poses.parameters()):
        needed |= {Ability.POSES: poses.name}
        if Ability.POSES not in solver.abilities:
            what = f"{solver.name} keeps poses as they are, but {poses.name} learns them"
            _refuse(what, "poses 'fixed', or the solver 'joint'")
    if bool((problem.views().ray[:, 1].abs() > 1e-6).any()):
        needed |= {Ability.TILTED_AXIS: poses.name}
    if Ability.LINEAR in needed:
        for part, plain in ((volume, "the volume 'voxels'"), (projector, "the projector 'slices'")):
            if Ability.LINEAR not in part.abilities:
                what = f"{needed[Ability.LINEAR]} needs parts that can {Ability.LINEAR.value}"
                _refuse(f"{what}, but {part.name} cannot", f"{plain}, or the solver 'joint'")
    for ability, who in needed.items():
        if ability not in projector.abilities:
            what = f"{who} needs a projector that can {ability.value}, but {projector.name} cannot"
            _refuse(what, ADVICE[ability])


def _refuse(what: str, instead: str) -> NoReturn:
    raise TomoinrError(f"{what}; use {instead}")
