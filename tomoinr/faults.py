"""What can be wrong with a plugin, in words its author can act on."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any

from tomoinr import hookspecs
from tomoinr.errors import did_you_mean, reason
from tomoinr.interfaces import Component, PoseModel, Preparation, Prior, Projector, Solver, Volume
from tomoinr.options import describe

HOOKS = [name for name in vars(hookspecs) if name.startswith("tomoinr_")]
MADE_AS: dict[type, tuple[str, ...]] = {
    Volume: ("options", "grid", "channels"),
    PoseModel: ("options", "nominal", "grid"),
    Projector: ("options", "grid"),
    Solver: ("options",),
    Prior: ("options",),
    Preparation: ("options",),
}


def part_fault(cls: Any, base: type) -> str | None:
    """Why a class cannot serve as a part, or nothing."""
    label = getattr(cls, "__name__", repr(cls))
    if not (inspect.isclass(cls) and issubclass(cls, base) and issubclass(cls, Component)):
        return f"{label} is not a {base.__name__}"
    if inspect.isabstract(cls):
        missing = sorted(getattr(cls, "__abstractmethods__", ()))
        return f"{label} does not define {', '.join(missing)}"
    if not (isinstance(getattr(cls, "name", None), str) and cls.name):
        return f"{label} has no name"
    if not (is_dataclass(cls.Options) and cls.Options.__dataclass_params__.frozen):  # type: ignore[attr-defined]
        return f"{label}.Options is not a frozen dataclass"
    try:
        inspect.signature(cls).bind(*MADE_AS[base])
    except (TypeError, ValueError):
        return f"{label} cannot be made as {label}({', '.join(MADE_AS[base])})"
    try:
        describe(cls.Options)
    except Exception as error:  # of a stranger's annotations
        return f"{label}.Options cannot be read: {reason(error)}"
    return None


def strange_arguments(plugin: Any) -> Iterator[str]:
    """Arguments that a plugin's hooks ask for, and that nobody gives."""
    for name in HOOKS:
        given = inspect.signature(getattr(hookspecs, name)).parameters
        for asked in inspect.signature(getattr(plugin, name, lambda: None)).parameters:
            if asked not in given:
                takes = f"{name} takes {', '.join(given) or 'nothing'}"
                yield f"{takes}; '{asked}' is not one.{did_you_mean(asked, given)}"


def misspelt_hooks(plugin: Any, marked: set[str]) -> Iterator[str]:
    """Functions marked as hooks that there are not, and hooks that are not marked."""
    for name in sorted(marked - set(HOOKS)):
        yield f"there is no hook '{name}'.{did_you_mean(name, HOOKS)}"
    for name, value in getattr(plugin, "__dict__", {}).items():
        if name in HOOKS and inspect.isfunction(value) and name not in marked:
            yield f"'{name}' is not marked with @tomoinr.hookimpl"
