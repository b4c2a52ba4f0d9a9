"""Write docs/options.md: every option of every part, as the code states it.

Run `python docs/make_options.py` after a change to any part's options.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

from tomoinr.geometry import Grid
from tomoinr.interfaces import Ability
from tomoinr.io.collecting import ChannelFile
from tomoinr.options import describe
from tomoinr.plugins import KINDS, Part, Plugins
from tomoinr.recipe import Data, Output, Run

TARGET = Path(__file__).with_name("options.md")
DISTRIBUTIONS = {
    "tomoinr": "tomoinr.builtin",
    "tomoinr-inr": "tomoinr_inr",
    "tomoinr-poses": "tomoinr_poses",
    "tomoinr-astra": "tomoinr_astra",
    "tomoinr-tomopy": "tomoinr_tomopy",
    "tomoinr-quantem": "tomoinr_quantem",
}
HEAD = """\
# Options

Made by `python docs/make_options.py`; `tomoinr options KIND NAME` prints the same for one part.
In a recipe a part is a section named after its kind; priors are a list:

```toml
[solver]
name = "tv"
weight = 0.05

[[prior]]
name = "tv"
```

A preset replaces the defaults at a quality (`--quality`); what a recipe sets wins over both.
"""


def main() -> None:
    """Write the page."""
    sections = (recipe_section(), *(section(name) for name in DISTRIBUTIONS))
    TARGET.write_text("\n".join((HEAD, *sections)), "utf-8")


def recipe_section() -> str:
    """The recipe's own sections."""
    lines = ["## The recipe", ""]
    channel = ("[data.channel]", ChannelFile)
    for name, options in (("data", Data), channel, ("run", Run), ("output", Output)):
        lines += [f"### `[{name}]`", "", *table(options), ""]
    return "\n".join(lines)


def section(distribution: str) -> str:
    """All parts of a distribution."""
    lines = [f"## {distribution}", ""]
    for part in parts(DISTRIBUTIONS[distribution]):
        lines += [f"### {part.kind} `{part.name}`", "", *about(part), ""]
    return "\n".join(lines)


def parts(module: str) -> list[Part]:
    """What a plugin adds; the options of TomoPy's solvers can be told without TomoPy."""
    plugin = importlib.import_module(module)
    with patch.object(plugin, "require", lambda: None, create=True):
        return Plugins(plugin, installed=False).parts()


def about(part: Part) -> Iterator[str]:
    """What a part is, what it can do and needs, its options and presets."""
    yield part.cls.__doc__.splitlines()[0]
    for label, abilities in (("Can", able(part)), ("Needs", part.cls.needs)):
        if abilities:
            listed = "; ".join(sorted(ability.value for ability in abilities))
            yield f"{label}: {listed}."
    if part.kind == "solver" and part.cls.partners:
        chosen = ((k, " or ".join(f"`{n}`" for n in part.cls.partners.get(k, ()))) for k in KINDS)
        yield (
            "Unless named: " + ", ".join(f"{kind} {names}" for kind, names in chosen if names) + "."
        )
    yield ""
    yield from table(part.cls.Options)
    for quality, preset in part.cls.presets.items():
        yield ""
        yield f"Preset `{quality}`: " + ", ".join(f"`{k} = {toml(v)}`" for k, v in preset.items())


def able(part: Part) -> frozenset[Ability]:
    """What a part can do as its defaults make it: a projector may do less with other options."""
    if part.kind != "projector":
        return part.cls.abilities
    return part.cls(part.cls.Options(), Grid((2, 2, 2))).abilities


def table(options: type) -> Iterator[str]:
    """One line an option."""
    rows = describe(options)
    if not rows:
        yield "No options."
        return
    yield "| option | type | default | meaning |"
    yield "|---|---|---|---|"
    for row in rows:
        cells = (f"`{row.name}`", row.type, f"`{toml(row.default)}`", row.meaning)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def toml(value: object) -> str:
    """As it would stand in a recipe."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else "none" if value is None else str(value)


if __name__ == "__main__":
    main()
