"""What several commands ask for: the data, how it is to be read, and whether files may go."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tomoinr.cli.talk import PANEL as SAID

if TYPE_CHECKING:
    from tomoinr.recipe import Choice

DATA, PARTS, OUTPUT = "The data", "The parts", "The results"  # panels of a help page


class Quality(enum.StrEnum):
    """Time against quality."""

    fast = "fast"
    default = "default"
    best = "best"


class Order(enum.StrEnum):
    """Axes of the volume written."""

    imod = "imod"
    xyz = "xyz"


def named(kind: str) -> Callable[[str], list[tuple[str, str]]]:
    """Completes the name of a part, with what it is."""

    def complete(incomplete: str) -> list[tuple[str, str]]:
        from tomoinr.plugins import Plugins  # imports torch: only when it is asked for

        parts = [part for part in Plugins().parts(kind) if part.name.startswith(incomplete)]
        return [(part.name, (part.cls.__doc__ or "").partition("\n")[0]) for part in parts]

    return complete


def _part(kind: str, meaning: str) -> Any:
    return typer.Option(help=meaning, autocompletion=named(kind), rich_help_panel=PARTS)


Volume = Annotated[str | None, _part("volume", "What is learned: voxels, siren:omega=20, …")]
Poses = Annotated[str | None, _part("poses", "Pose model: fixed, shift, rigid, …")]
Projector = Annotated[str | None, _part("projector", "How rays pass it: slices, quadrature, …")]
Solver = Annotated[
    str | None, _part("solver", "How it is found: auto, joint, tv, sirt:steps=30, …")
]
Priors = Annotated[list[str] | None, _part("prior", "What is likely: tv, sparsity, …; repeatable.")]
Speed = Annotated[Quality, typer.Option(help="Time against quality.", rich_help_panel=PARTS)]
Images = Annotated[Path, typer.Argument(help="The tilt series (MRC, or what a plugin reads).")]
Angles = Annotated[
    str | None,
    typer.Option(
        help='File of angles, FILE:2 for a column, an .mdoc, or "-60:60:3"; else STACK\'s .rawtlt, '
        ".tlt or .mdoc.",
        rich_help_panel=DATA,
    ),
]
PixelSize = Annotated[
    float | None, typer.Option(help="In Å, in place of the file's own.", rich_help_panel=DATA)
]
TiltAxis = Annotated[
    str | None,
    typer.Option(
        help="y, x, or degrees counter-clockwise from y; else the file's, or y.",
        rich_help_panel=DATA,
    ),
]
Excluded = typer.Option(
    help="Images left out: their numbers from 0, as 0,17-19.", rich_help_panel=DATA
)
Exclude = Annotated[str, Excluded]
Prepare = Annotated[
    list[str] | None,
    typer.Option(help="A preparation, as in bin:factor=2; several in order.", rich_help_panel=DATA),
]
Depth = Annotated[
    int | None, typer.Option(min=1, help="Thickness in voxels.", rich_help_panel=OUTPUT)
]
Seed = Annotated[int, typer.Option(min=0, help="Of every random number.", rich_help_panel=PARTS)]
Steps = Annotated[
    int | None, typer.Option(min=1, help="Steps of the solver.", rich_help_panel=PARTS)
]
Results = Annotated[Path, typer.Option(help="Folder for the results.", rich_help_panel=OUTPUT)]
Force = Annotated[
    bool, typer.Option("--force", help="Replace earlier results.", rich_help_panel=OUTPUT)
]
Json = Annotated[
    bool,
    typer.Option("--json", help="One JSON object on stdout, for scripts.", rich_help_panel=SAID),
]


def choices(words: Iterable[str | Mapping[str, Any]] | None) -> list[Choice]:
    """Parts from the command line; a command that is repeated has them as tables."""
    from tomoinr.recipe import Choice  # imports torch: only when there is work

    return [Choice.of(word, "a step") for word in words or ()]
