"""The plugin host: finds parts, checks them, and keeps the broken ones from stopping the rest."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from tomoinr import hookspecs
from tomoinr.data import Alignment, Reconstruction, Record, TiltSeries
from tomoinr.errors import TomoinrError, did_you_mean, reason
from tomoinr.faults import misspelt_hooks, part_fault, strange_arguments
from tomoinr.geometry import Poses
from tomoinr.interfaces import (
    PoseModel,
    Preparation,
    Prior,
    Problem,
    Projector,
    Solver,
    Volume,
)
from tomoinr.stack import Stack

log = logging.getLogger(__name__)

GROUP = "tomoinr"
KINDS: dict[str, tuple[str, type]] = {
    "volume": ("tomoinr_volumes", Volume),
    "poses": ("tomoinr_pose_models", PoseModel),
    "projector": ("tomoinr_projectors", Projector),
    "solver": ("tomoinr_solvers", Solver),
    "prior": ("tomoinr_priors", Prior),
    "prepare": ("tomoinr_preparations", Preparation),
}


@dataclass(frozen=True)
class Part:
    """A class that a plugin provides."""

    kind: str
    cls: Any
    provider: str

    @property
    def name(self) -> str:
        """What recipes call it."""
        return str(self.cls.name)


@dataclass(frozen=True)
class Broken:
    """A plugin, or a part of one, that cannot be used, and why."""

    plugin: str
    reason: str
    kind: str = ""  # of the parts that are lost; none: all


class Plugins:
    """The parts at hand: those of the modules given, and of installed distributions."""

    def __init__(self, *modules: ModuleType, installed: bool = True) -> None:
        self.broken: list[Broken] = []
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._providers: dict[str, str] = {}
        for module in modules:
            self._register(module, module.__name__, module.__name__)
        if installed:
            for entry in entry_points(group=GROUP):
                self._load(entry)
        self._parts = list(self._collect())
        for broken in self.broken:
            log.info("not usable: %s: %s", broken.plugin, broken.reason)

    def parts(self, kind: str | None = None) -> list[Part]:
        """All parts, or those of one kind, sorted by name."""
        found = (p for p in self._parts if kind in (None, p.kind))
        return sorted(found, key=lambda p: (list(KINDS).index(p.kind), p.name))

    def find(self, kind: str, name: str) -> Part:
        """The part of that kind and name; an error lists what there is and the nearest."""
        if kind not in KINDS:
            hint = did_you_mean(kind, KINDS)
            raise TomoinrError(
                f"no kind of part is called '{kind}'; there are {', '.join(KINDS)}.{hint}"
            )
        found = [p for p in self.parts(kind) if p.name == name]
        if len(found) > 1:
            both = " and ".join(p.provider for p in found)
            raise TomoinrError(f"two plugins provide the {kind} '{name}': {both}; uninstall one")
        if not found:
            raise TomoinrError(self._unknown(kind, name))
        return found[0]

    def has(self, kind: str, name: str) -> bool:
        """Whether exactly one plugin provides it."""
        return sum(p.name == name for p in self.parts(kind)) == 1

    def problems(self) -> list[str]:
        """One line for everything that is broken, and for every name provided twice."""
        lines = [f"{b.plugin}: {b.reason}" for b in self.broken]
        for kind, name in dict.fromkeys((p.kind, p.name) for p in self.parts()):
            both = [p.provider for p in self.parts(kind) if p.name == name]
            if len(both) > 1:
                lines.append(f"{kind} '{name}' is provided by {' and by '.join(both)}")
        return lines

    def read(self, path: Path, pixel_size: float | None = None) -> Stack | TiltSeries | None:
        """The first reader's answer."""
        found: Stack | TiltSeries | None = self._manager.hook.tomoinr_read(
            path=path, pixel_size=pixel_size
        )
        return found

    def write(self, path: Path, value: TiltSeries | Reconstruction, order: str) -> bool:
        """Whether some writer wrote it."""
        return bool(self._manager.hook.tomoinr_write(path=path, value=value, order=order))

    def read_poses(self, path: Path, series: TiltSeries) -> Poses | None:
        """The first answer to which poses a file holds."""
        poses: Poses | None = self._manager.hook.tomoinr_read_poses(path=path, series=series)
        return poses

    def write_poses(self, path: Path, poses: Poses, series: TiltSeries) -> dict[Path, str]:
        """The texts that hold the poses, by file; none: no such format."""
        hook = self._manager.hook.tomoinr_write_poses
        return hook(path=path, poses=poses, series=series) or {}

    def align(self, series: TiltSeries) -> Alignment | None:
        """The first answer to where the images stand."""
        alignment: Alignment | None = self._manager.hook.tomoinr_align(series=series)
        return alignment

    def libraries(self) -> dict[str, str]:
        """What plugins say of the libraries that they stand on."""
        found: dict[str, str] = {}
        for impl in self._manager.hook.tomoinr_libraries.get_hookimpls():
            try:
                told: Any = impl.function()
                found |= told
            except Exception as error:  # said where it was asked for
                found[self._providers[impl.plugin_name]] = reason(error)
        return found

    def stepped(self, record: Record, problem: Problem) -> None:
        """Tell every observer; one that fails stops nothing, and is listed as broken."""
        told = {"record": record, "problem": problem}
        for impl in self._manager.hook.tomoinr_stepped.get_hookimpls():
            try:
                impl.function(*(told[name] for name in impl.argnames))
            except Exception as error:
                fault = Broken(self._providers[impl.plugin_name], f"observer: {reason(error)}")
                self.broken += [fault] if fault not in self.broken else []

    def _load(self, entry: EntryPoint) -> None:
        label = _label(entry.name, entry.dist)
        try:  # the label too: strangers may well give their entry points the same name
            self._register(entry.load(), f"{label} {entry.name}", label)
        except (Exception, SystemExit) as error:  # a stranger's import stops only the stranger
            self.broken.append(Broken(label, reason(error)))

    def _register(self, plugin: Any, name: str, provider: str) -> None:
        if plugin in self._manager.get_plugins():
            return
        self._providers[name] = provider
        try:
            self._manager.register(plugin, name)
        except pluggy.PluginValidationError as error:
            if self._manager.is_registered(plugin):  # by older versions, in part
                self._manager.unregister(plugin)
            why = "; ".join(strange_arguments(plugin)) or reason(error)
            self.broken.append(Broken(provider, why))
            return
        marked = {h.name for h in self._manager.get_hookcallers(plugin) or ()}
        misspelt = list(misspelt_hooks(plugin, marked))
        if misspelt:
            self._manager.unregister(plugin)
            self.broken.append(Broken(provider, "; ".join(misspelt)))

    def _collect(self) -> Iterator[Part]:
        for kind, (hook, base) in KINDS.items():
            for impl in getattr(self._manager.hook, hook).get_hookimpls():
                provider = self._providers[impl.plugin_name]
                try:
                    classes = list(impl.function())
                except Exception as error:  # one plugin's hook must not stop the others'
                    self.broken.append(Broken(provider, reason(error), kind))
                    continue
                for cls in classes:
                    if fault := part_fault(cls, base):
                        self.broken.append(Broken(provider, fault, kind))
                    else:
                        yield Part(kind, cls, provider)

    def _unknown(self, kind: str, name: str) -> str:
        names = [p.name for p in self.parts(kind)]
        listed = ", ".join(dict.fromkeys(names)) or "none"
        own = [b for b in self.broken if f"-{name.partition('-')[0]} " in b.plugin]
        lost = own or [b for b in self.broken if b.kind in ("", kind)]
        broken = "".join(f" Not usable: {b.plugin}: {b.reason}." for b in lost[:2])
        rest = " For the rest: tomoinr plugins." if len(lost) > 2 else ""
        more = (did_you_mean(name, names) if not own else "") or broken + rest
        return f"no {kind} is called '{name}'; there are {listed}.{more}"


def _label(name: str, dist: Distribution | None) -> str:
    return f"{dist.name} {dist.version}" if dist else name
