"""What a call asks for: options, checked, in the order in which one goes before the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tomoinr import Plugins, Reconstruction, TomoinrError
from tomoinr.errors import did_you_mean
from tomoinr.options import parse

NAMES = (
    *("solver", "volume", "poses", "projector", "priors"),
    *("quality", "steps", "seed", "plugins", "observers", "found"),
)
FEWEST = {"auto": 10, "tv": 10}  # iterations below which these leave (nearly) nothing behind


@dataclass(frozen=True)
class Request:
    """Arguments of `tomoinr.reconstruct`, the plugins to take parts from, who wants the result."""

    arguments: Mapping[str, Any]
    plugins: Plugins
    found: Callable[[Reconstruction], Any] | None

    @classmethod
    def of(
        cls, usual: Mapping[str, Any], given: Mapping[str, Any], num_iter: int | None
    ) -> Request:
        """`given` in the call goes before `usual`; `num_iter` counts where neither has steps."""
        for options in (usual, given):
            check(options)
        steps = given.get("steps", num_iter)
        if num_iter is not None and steps != num_iter:
            raise TomoinrError(f"num_iter={num_iter} and steps={steps}: give one of them")
        merged = {"steps": steps, **usual, **given}
        own = {name: merged.pop(name) for name in set(merged) - set(NAMES)}
        if own:
            merged["solver"] = {**_table(merged.get("solver"), own), **own}
        plugins = merged.pop("plugins", None) or Plugins()
        request = cls(merged, plugins, merged.pop("found", None))
        request._check_steps(num_iter)
        return request

    def solver(self) -> str:
        """The name of the solver, also where the user leaves it to the rest of the request."""
        usual = {"volume": "voxels", "projector": "slices", "priors": None}
        named = {kind: self.name(kind) or plain for kind, plain in usual.items()}
        return self.name("solver") or ("auto" if named == usual else "joint")

    def _check_steps(self, num_iter: int | None) -> None:
        name, steps = self.solver(), self.arguments["steps"]
        if steps is not None and steps == num_iter and steps < FEWEST.get(name, 0):
            raise TomoinrError(
                f"the solver '{name}' needs more than num_iter={steps}, from {FEWEST[name]} on; "
                "align_joint always asks for 1: give it an algorithm with steps of its own, "
                "algorithm=tomoinr_tomopy.Algorithm(solver='tv', steps=20)"
            )

    def name(self, kind: str) -> Any:
        """The name of a part; none: not given."""
        part = self.arguments.get(kind)
        return part.get("name") if isinstance(part, Mapping) else getattr(part, "name", part)

    def make(self, kind: str, name: str, *arguments: Any, **options: Any) -> Any:
        """The part of a kind, as asked for or, where nothing is asked for, by this name."""
        part = self.arguments.get(kind)
        cls = self.plugins.find(kind, self.name(kind) or name).cls
        given = {k: v for k, v in part.items() if k != "name"} if isinstance(part, Mapping) else {}
        preset = cls.presets.get(self.arguments.get("quality", "default"), {})
        table = {**preset, **given, **options}
        return cls(parse(cls.Options, table, f"{kind} '{cls.name}'"), *arguments)


def check(options: Any) -> None:
    """Refuse what is no table of names."""
    if not isinstance(options, Mapping):
        raise TomoinrError(f"options must be a dictionary, got {options!r}")
    if not callable(options.get("found") or check):
        raise TomoinrError("options: found must be a function, which is given the result")


def _table(solver: Any, own: Mapping[str, Any]) -> Mapping[str, Any]:
    """Names that are not ours are the solver's own options, if it is named."""
    if isinstance(solver, Mapping):
        return solver
    if isinstance(solver, str):
        return {"name": solver}
    name = min(own)
    raise TomoinrError(
        f"options has no '{name}'; there are {', '.join(NAMES)}, and those of the solver where it "
        f"is named.{did_you_mean(name, NAMES)}"
    )
