"""Write docs/python.md: what a script may import, with signatures and docstrings.

Run `python docs/make_python.py` after a change to what these modules offer.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import tomoinr

TARGET = Path(__file__).with_name("python.md")
FIRST = ("TiltSeries", "reconstruct", "Reconstruction", "Record", "Poses", "TomoinrError")
MODULES = {  # what of them: none is all that they export
    "tomoinr": (*FIRST, *sorted(set(tomoinr.__all__) - {*FIRST})),
    "tomoinr.io": None,
    "tomoinr.trust": None,
    "tomoinr.checkpoint": ("Checkpoints", "Signals", "Stopped"),
    "tomoinr.fsc": ("fsc", "Fsc"),
    "tomoinr.metrics": ("score", "pose_errors", "unseen_removed"),
    "tomoinr.pictures": ("compare",),
    "tomoinr.builtin.simulate": ("Acquisition", "Simulated", "simulate"),
}
HEAD = """\
# Python

Made by `python docs/make_python.py` from the code. `help(tomoinr.reconstruct)` prints the same. How
to use it is in [Scripts and notebooks](scripts.md); what a plugin implements is in
[Interfaces and hooks](plugins.md).
"""


def main() -> None:
    """Write the page."""
    TARGET.write_text(page(), "utf-8")


def page() -> str:
    """The whole of it."""
    return "\n".join((HEAD, *(line for module in MODULES for line in section(module))))


def section(name: str) -> Iterator[str]:
    """A module, and what it offers."""
    module = importlib.import_module(name)
    yield f"## `{name}`\n"
    yield told(module) + "\n"
    for each in MODULES[name] or module.__all__:
        thing = getattr(module, each)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            yield from entry(thing)


def entry(thing: Any) -> Iterator[str]:
    """A class or a function."""
    yield f"### `{thing.__name__}`\n"
    if inspect.isfunction(thing) or dataclasses.is_dataclass(thing):
        yield code(thing)
    yield told(thing) + "\n"
    if inspect.isclass(thing):
        yield from members(thing)


def members(cls: type) -> Iterator[str]:
    """The methods and properties of a class that it defines itself."""
    if issubclass(cls, Enum):
        yield "\n".join(f"- `{each.name}`: {each.value}" for each in cls) + "\n"
        return
    for name, member in vars(cls).items():
        plain = member.__func__ if isinstance(member, (classmethod, staticmethod)) else member
        shown = plain.fget if isinstance(plain, property) else plain
        if name.startswith("_") or not inspect.isfunction(shown):
            continue
        call = name if isinstance(plain, property) else f"{name}{signature(plain)}"
        yield f"`{call}`\n:   {told(shown)}\n"


def code(thing: Any) -> str:
    """How it is called, an argument a line where that is long."""
    whole = f"{thing.__name__}{signature(thing)}"
    if len(whole) > 88:
        given = (str(each) for each in unbound(thing).parameters.values())
        after = signature(thing).rpartition(")")[2]
        whole = f"{thing.__name__}(\n" + "".join(f"    {each},\n" for each in given) + f"){after}"
    return f"```text\n{whole}\n```\n"


def signature(thing: Any) -> str:
    """What is taken and returned."""
    return str(unbound(thing))


def unbound(thing: Any) -> inspect.Signature:
    """The signature without `self` and `cls`, and without values that only a machine can read."""
    whole = inspect.signature(thing)
    kept = [bare(each) for name, each in whole.parameters.items() if name not in ("self", "cls")]
    back = whole.return_annotation
    made = inspect.isclass(thing) or back is whole.empty  # a class gives itself
    return inspect.Signature(kept, return_annotation=whole.empty if made else Bare(back))


def bare(given: inspect.Parameter) -> inspect.Parameter:
    """A parameter whose type is shown as it is written."""
    known = given.default is given.empty or "<" not in repr(given.default)
    default = given.default if known else Bare("…")
    kind = given.empty if given.annotation is given.empty else Bare(given.annotation)
    return given.replace(default=default, annotation=kind)


class Bare(str):
    """A type as it is written, without quotes."""

    def __repr__(self) -> str:
        """The text itself."""
        return str(self)


def told(thing: Any) -> str:
    """A docstring, its paragraphs kept."""
    return (inspect.getdoc(thing) or "").strip()


if __name__ == "__main__":
    main()
