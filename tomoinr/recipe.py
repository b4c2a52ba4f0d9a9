"""A recipe: which parts, with which options, on which data. TOML in, TOML out."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import tomli_w

from tomoinr import options as opt
from tomoinr.errors import TomoinrError, did_you_mean, reason
from tomoinr.io.collecting import ChannelFile
from tomoinr.options import option
from tomoinr.plugins import KINDS, Plugins

Quality = Literal["fast", "default", "best"]
PARTS = ("volume", "poses", "projector", "solver")
SEVERAL = {"prior": "priors", "prepare": "prepare"}  # sections of which there may be several


@dataclass(frozen=True)
class Choice:
    """A part by name, and those of its options that are not left to the default."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, value: str | Mapping[str, Any], where: str) -> Choice:
        """From a name, `name:option=value,option=value`, or from a table with a `name`."""
        if isinstance(value, str):
            return cls.written(value)
        if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
            raise TomoinrError(f'{where}: give a name, or a table with name = "…" and options')
        return cls(value["name"], {k: v for k, v in value.items() if k != "name"})

    @classmethod
    def written(cls, text: str) -> Choice:
        """From one word."""
        name, _, rest = text.partition(":")
        table: dict[str, Any] = {"name": name}
        for pair in filter(None, re.split(r",(?![^\[]*\])", rest)):  # not within a list
            key, _, value = pair.partition("=")
            try:
                table |= tomllib.loads(f"{key} = {value}")
            except tomllib.TOMLDecodeError:
                table[key] = value
        return cls.of(table, text)

    def table(self) -> dict[str, Any]:
        """The way back."""
        return {"name": self.name, **self.options}


AUTOMATIC, GENERAL = "auto", "joint"  # the usual solver, and the one for any parts
SEVERAL_CHANNELS = "fused"  # the usual one for these


@dataclass(frozen=True)
class Data:
    """The section [data]."""

    stack: str | None = option(None, "the tilt series: a file that some reader knows")
    angles: str | tuple[float, ...] | None = option(
        None, "a file of angles, 'start:stop:step', or a list in degrees; none: beside the stack"
    )
    pixel_size: float | None = option(None, "in Å; none: as the file says, or 1 if it does not")
    poses: str | None = option(None, "poses to start from (.json, .xf, .aln); none: nominal")
    tilt_axis: str | float | None = option(
        None, "'y', 'x', or degrees counter-clockwise from y; none: as the file says, or y"
    )
    exclude: str = option("", "images left out, by their numbers from 0, as in '0,17-19'")
    channel: tuple[ChannelFile, ...] = option((), "[[data.channel]]: other signals, one table each")


@dataclass(frozen=True)
class Run:
    """The section [run]."""

    quality: Quality = option("default", "time against quality: the parts' presets")
    align: bool = option(True, "find rough poses first, where poses are learned and none are given")
    depth: int | None = option(None, "voxels along the beam; none: as many as columns", low=1)
    seed: int = option(0, "of every random number", low=0, high=2**63 - 1)
    exact: bool = option(False, "the same to the last bit on 1, 2 and 4 ranks; slower")


@dataclass(frozen=True)
class Output:
    """The section [output]."""

    folder: str = option("tomoinr-out", "where the results go")
    order: Literal["imod", "xyz"] = option("imod", "axes of volume.mrc: [y, z, x] or [-z, y, x]")


@dataclass(frozen=True)
class Recipe:
    """What to do, in full or in part; `resolve` fills in the rest."""

    data: Data = field(default_factory=Data)
    run: Run = field(default_factory=Run)
    output: Output = field(default_factory=Output)
    volume: Choice | None = None
    poses: Choice | None = None
    projector: Choice | None = None
    solver: Choice | None = None
    priors: tuple[Choice, ...] | None = None
    prepare: tuple[Choice, ...] = ()

    @classmethod
    def parse(cls, table: Mapping[str, Any]) -> Recipe:
        """Check a table section by section."""
        sections = {"data": Data, "run": Run, "output": Output}
        known = [*sections, *PARTS, *SEVERAL]
        for name in table:
            if name not in known:
                listed = ", ".join(known)
                hint = did_you_mean(name, known)
                raise TomoinrError(f"a recipe has no section '{name}'; there are {listed}.{hint}")
        values: dict[str, Any] = {}
        for name, options in sections.items():
            section = table.get(name, {})
            if not isinstance(section, Mapping):
                raise TomoinrError(f"[{name}] must be a section of the recipe, got {section!r}")
            section = _with_channels(section) if name == "data" else section
            values[name] = opt.parse(options, section, f"[{name}]")
        values |= {name: Choice.of(table[name], f"[{name}]") for name in PARTS if name in table}
        for name, field_name in SEVERAL.items():
            if name in table:
                given = table[name] if isinstance(table[name], list) else [table[name]]
                values[field_name] = tuple(Choice.of(part, f"[[{name}]]") for part in given)
        return cls(**values)

    @classmethod
    def load(cls, path: str | Path, folder: Path | None = None) -> Recipe:
        """Read TOML; paths in it count from the recipe's own folder, unless `folder` is given."""
        path = Path(path)
        if not path.is_file():
            why = "this is a folder" if path.is_dir() else "there is no such file"
            raise TomoinrError(f"{path}: not a recipe: {why}")
        try:
            table = tomllib.loads(path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            said = isinstance(error, UnicodeDecodeError) and "this is not text; a recipe is TOML"
            raise TomoinrError(f"{path}: not a recipe: {said or reason(error)}") from None
        recipe = cls.parse(table).beside(path.parent)
        return recipe if folder is None else recipe.into(folder)

    def beside(self, folder: Path) -> Recipe:
        """The same recipe, its relative paths counted from a folder."""
        data = self.data
        stack, poses = (path and str(folder / path) for path in (data.stack, data.poses))
        data = replace(
            data,
            stack=stack,
            angles=_angles_beside(folder, data.angles),
            poses=poses,
            channel=tuple(
                replace(
                    one,
                    stack=one.stack and str(folder / one.stack),
                    angles=_angles_beside(folder, one.angles),
                )
                for one in data.channel
            ),
        )
        return replace(self, data=data).into(folder / self.output.folder)

    def into(self, folder: Path) -> Recipe:
        """The same recipe with its results in another folder."""
        return replace(self, output=replace(self.output, folder=str(folder)))

    def table(self) -> dict[str, Any]:
        """As TOML sections; empty ones left out."""
        sections = {name: opt.table(getattr(self, name)) for name in ("data", "run", "output")}
        sections["data"] = {n: v for n, v in sections["data"].items() if n != "channel" or v}
        chosen = {name: getattr(self, name) for name in PARTS}
        table = sections | {name: c.table() for name, c in chosen.items() if c is not None}
        if self.priors is not None:
            table["prior"] = [prior.table() for prior in self.priors]
        table |= {"prepare": [step.table() for step in self.prepare]} if self.prepare else {}
        return {name: section for name, section in table.items() if section or name == "prior"}

    def toml(self) -> str:
        """As text."""
        return tomli_w.dumps(self.table())

    def resolve(
        self,
        plugins: Plugins,
        made: Mapping[str, Any] | None = None,
        steps: int | None = None,
        channels: int = 1,
    ) -> Recipe:
        """Every part named, every option written out; those already `made` are left out."""
        made = made or {}
        first = AUTOMATIC if channels == 1 and not self.data.channel else SEVERAL_CHANNELS
        named = self.solver or Choice(self._usual_solver(plugins, made, first))
        solver = made.get("solver") or plugins.find("solver", named.name).cls
        full: dict[str, Any] = {}
        for kind in PARTS:
            if kind not in made:
                names = solver.partners.get(kind, ())
                given = named if kind == "solver" else getattr(self, kind)
                choice = given or Choice(_first(kind, names, plugins))
                full[kind] = self.filled(kind, choice, plugins)
        if steps is not None:
            full["solver"] = _with_steps(full.get("solver"), steps, solver)
        usual = [Choice(name) for name in solver.partners.get("prior", ())]
        priors = usual if self.priors is None else self.priors
        full["priors"] = tuple(self.filled("prior", prior, plugins) for prior in priors)
        full["prepare"] = tuple(self.filled("prepare", step, plugins) for step in self.prepare)
        return replace(self, **full)

    def _usual_solver(
        self, plugins: Plugins, made: Mapping[str, Any], usual: str = AUTOMATIC
    ) -> str:
        """The usual solver; the general one where a part is named that it would not take."""
        if self.priors is not None or not plugins.has("solver", usual):
            return GENERAL
        partners = plugins.find("solver", usual).cls.partners
        for kind in ("volume", "projector"):
            part = made.get(kind) or getattr(self, kind)
            if part is not None and part.name not in partners[kind]:
                return GENERAL
        return usual

    def filled(self, kind: str, choice: Choice, plugins: Plugins) -> Choice:
        """A choice with every option: as given, else of the quality's preset, else the default."""
        cls = plugins.find(kind, choice.name).cls
        where = f"{kind} '{choice.name}'"
        preset = cls.presets.get(self.run.quality, {})
        checked = opt.parse(cls.Options, {**preset, **choice.options}, where)
        return Choice(choice.name, opt.table(checked))


def build(kind: str, choice: Choice | None, plugins: Plugins, *arguments: Any) -> Any:
    """Make a part: its class called with its options and what its kind takes besides."""
    assert choice is not None, f"a resolved recipe names the {kind}"
    cls = plugins.find(kind, choice.name).cls
    return cls(opt.parse(cls.Options, choice.options, f"{kind} '{choice.name}'"), *arguments)


def _with_channels(section: Mapping[str, Any]) -> Mapping[str, Any]:
    """[data] with its tables [[data.channel]] checked."""
    tables = section.get("channel", ())
    if not isinstance(tables, list | tuple) or not all(isinstance(t, Mapping) for t in tables):
        raise TomoinrError(f"[[data.channel]] must be tables, got {tables!r}")
    channels = [opt.parse(ChannelFile, table, "[[data.channel]]") for table in tables]
    return {**section, "channel": channels} if tables else section


def _angles_beside(folder: Path, angles: Any) -> Any:
    """Angles from a file counted from a folder; others as they are."""
    if isinstance(angles, str) and (angles.count(":") != 2 or (folder / angles).exists()):
        return str(folder / angles)
    return angles


def _with_steps(choice: Choice | None, steps: int, solver: Any) -> Choice:
    """The number of steps, for solvers that have one."""
    if choice is None or "steps" not in choice.options:
        raise TomoinrError(f"the solver '{solver.name}' takes no number of steps here")
    options = {**choice.options, "steps": steps}
    opt.parse(solver.Options, options, f"solver '{choice.name}'")
    return Choice(choice.name, options)


def _first(kind: str, names: tuple[str, ...], plugins: Plugins) -> str:
    """The first of these that is installed; any of the kind where a solver has no preference."""
    for name in names:
        if plugins.has(kind, name):
            return name
    raise TomoinrError(
        f"no {KINDS[kind][1].__name__} is named, and none of {', '.join(names) or 'the usual'} "
        f"is installed; name one of {', '.join(p.name for p in plugins.parts(kind)) or 'none'}"
    )
