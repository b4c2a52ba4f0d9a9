"""Write docs/commands.md: every command of the program, with its options, as the code states them.

Run `python docs/make_commands.py` after a change to tomoinr/cli/.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from tomoinr.cli.app import app

TARGET = Path(__file__).with_name("commands.md")
HEAD = """\
# Commands

Made by `python docs/make_commands.py`; `tomoinr COMMAND --help` prints the same. An error is one
line with exit code 2. How commands are used is in the [how-to pages](start.md).
"""
WORDS = {"<bool>": "flag", "<str>": "text", "<int>": "whole number", "<float>": "number"}


def main() -> None:
    """Write the page."""
    TARGET.write_text(page(), "utf-8")


def page() -> str:
    """The whole of it."""
    program: Any = typer.main.get_command(app)
    return "\n".join((HEAD, *sections("tomoinr", program)))


def sections(name: str, command: Any) -> Iterator[str]:
    """A command, or all commands of a group in their order."""
    context: Any = typer.Context(command, info_name=name)
    if not hasattr(command, "list_commands"):
        yield from section(name, command, context)
        return
    for inner in command.list_commands(context):
        _, found, _ = command.resolve_command(context, [inner])
        if not found.hidden:
            yield from sections(f"{name} {inner}", found)


def section(name: str, command: Any, context: Any) -> Iterator[str]:
    """What a command does, and what it takes."""
    yield f"## `{name}`\n"
    yield plain(inspect.cleandoc(command.help or "")) + "\n"
    rows = [row(given, context) for given in command.params if not given.hidden]
    if rows:
        yield "| argument or option | type | default | meaning |"
        yield "|---|---|---|---|"
        yield "\n".join(rows) + "\n"


def row(given: Any, context: Any) -> str:
    """One line of a table."""
    cells = (names(given), typed(given, context), default(given), plain(given.help or ""))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def names(given: Any) -> str:
    """As they are typed; arguments in capitals."""
    if given.param_type_name == "argument":
        return f"`{given.name.upper()}`"
    return ", ".join(f"`{name}`" for name in (*given.opts, *given.secondary_opts))


def typed(given: Any, context: Any) -> str:
    """What may follow an option."""
    shown = given.display_type(context).replace(" range", "")
    several = shown.startswith("<list[")
    shown = shown.replace("<list[", "<").replace("]>", ">") if several else shown
    kind = WORDS.get(shown, shown.strip("<>").replace("|", ", ").replace("Path", "path"))
    ends = (("from", given.min), ("to", given.max))
    limits = " ".join(f"{word} {end:g}" for word, end in ends if end is not None)
    return ", ".join(filter(None, (kind, limits, "several" * several)))


def default(given: Any) -> str:
    """What holds when nothing is given."""
    value = given.default
    if given.required:
        return "required"
    if value is None or value is False or value == "" or callable(value):
        return ""
    return "on" if value is True else f"`{getattr(value, 'value', value)}`"


def plain(text: str) -> str:
    """A docstring's lines joined; paragraphs stay, and so do lines that are commands."""
    return "\n\n".join(map(paragraph, text.split("\n\n")))


def paragraph(text: str) -> str:
    """Words, or a block of commands."""
    lines = [line.strip() for line in text.splitlines()]
    if lines and all(line.startswith("tomoinr ") for line in lines):
        return "\n".join(("```text", *lines, "```"))
    return " ".join(lines)


if __name__ == "__main__":
    main()
