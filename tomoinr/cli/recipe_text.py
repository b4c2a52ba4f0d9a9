"""A recipe as text for people: every option, what it means and what it may be."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import tomli_w

from tomoinr.options import describe
from tomoinr.plugins import Plugins
from tomoinr.recipe import PARTS, Choice, Data, Output, Recipe, Run
from tomoinr.version import __version__

WIDTH = 96
ENDLESS = 2**53  # a bound beyond this bounds nothing that people write
SECTIONS = {"data": Data, "run": Run, "output": Output}
HEAD = f"""\
# A recipe for tomoinr {__version__}, with every option of its parts.
#
#   tomoinr recipe check FILE    would it run?
#   tomoinr run FILE             carry it out
#
# Above each option stands what it means, what it may be, and its default. Whatever is left out,
# or begins with "#", has its default. Paths count from the folder that this file is in.
"""
PREPARE = """\
# Steps that prepare the images first, in order: `tomoinr plugins` lists them, `tomoinr options
# prepare bin` lists the options of one.
# [[prepare]]
# name = "bin"
# factor = 2
"""

TABLES = {  # options that are tables of their own
    "channel": """
# Other signals of the specimen, a table each; their options are in docs/channels.md.
# [[data.channel]]
# name = "Ti"
# stack = "ti.mrc"
"""
}


def commented(recipe: Recipe, plugins: Plugins) -> str:
    """A resolved recipe, its options explained."""
    table = recipe.table()
    pieces = [HEAD]
    for name, options in SECTIONS.items():
        pieces.append(f"\n[{name}]\n{_options(options, table.get(name, {}), {})}")
    for kind in PARTS:
        choice = getattr(recipe, kind)
        if choice is not None:
            pieces.append(_part(f"[{kind}]", kind, choice, recipe, plugins))
    for prior in recipe.priors or ():
        pieces.append(_part("[[prior]]", "prior", prior, recipe, plugins))
    for step in recipe.prepare:
        pieces.append(_part("[[prepare]]", "prepare", step, recipe, plugins))
    return "\n".join(pieces if recipe.prepare else [*pieces, PREPARE])


def _part(title: str, kind: str, choice: Choice, recipe: Recipe, plugins: Plugins) -> str:
    """A section of a part: what it is, what else there is, and its options."""
    cls = plugins.find(kind, choice.name).cls
    about = (cls.__doc__ or "").strip().partition("\n")[0]
    names = ", ".join(dict.fromkeys(part.name for part in plugins.parts(kind)))
    lines = "\n".join(_comment(f"{about} There are: {names}."))
    preset = cls.presets.get(recipe.run.quality, {})
    options = _options(cls.Options, choice.options, preset)
    return f"\n{title}\n{lines}\nname = {_toml(choice.name)}\n{options}"


def _options(options: type, values: Mapping[str, Any], preset: Mapping[str, Any]) -> str:
    """Every option, set or as a comment."""
    lines: list[str] = []
    fields = {field.name: field for field in dataclasses.fields(options)}
    for told in describe(options):
        if told.name in TABLES:
            lines += TABLES[told.name].rstrip().split("\n")
            continue
        default = preset.get(told.name, told.default)
        kind = "; ".join(_said(told.type, fields[told.name].metadata, default))
        lines += ["", *_comment(told.meaning), *_comment(f"  {kind}")]
        value = values.get(told.name)
        line = f"# {told.name} =" if value is None else f"{told.name} = {_toml(value)}"
        lines.append(line)
    return "".join(f"{line}\n" for line in lines)


def _said(kind: str, bounds: Mapping[str, Any], default: Any) -> Iterator[str]:
    """What an option may be, and its default."""
    low, high = bounds.get("low"), bounds.get("high")
    high = None if high is not None and high > ENDLESS else high
    if low is not None and high is not None:
        kind += f", {low:g} to {high:g}"
    elif low is not None:
        kind += f", at least {low:g}"
    elif high is not None:
        kind += f", at most {high:g}"
    yield kind
    if default is dataclasses.MISSING:
        yield "required"
    elif default is not None:
        yield f"default {_toml(default)}"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ")


def _toml(value: Any) -> str:
    """A value as TOML writes it, on one line."""
    plain = list(value) if isinstance(value, tuple) else value
    if isinstance(plain, list):
        return f"[{', '.join(map(_toml, plain))}]"
    return tomli_w.dumps({"a": plain}).strip().removeprefix("a = ")
