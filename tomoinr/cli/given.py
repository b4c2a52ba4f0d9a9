"""What several commands ask for: the data, how it is to be read, and whether files may go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from tomoinr.recipe import Choice

Images = Annotated[Path, typer.Argument(help="The tilt series (MRC, or what a plugin reads).")]
Angles = Annotated[
    str | None,
    typer.Option(
        help='File of angles, FILE:2 for a column, an .mdoc, or "-60:60:3"; else STACK\'s .rawtlt, '
        ".tlt or .mdoc."
    ),
]
PixelSize = Annotated[float | None, typer.Option(help="In Å, in place of the file's own.")]
TiltAxis = Annotated[
    str | None,
    typer.Option(help="y, x, or degrees counter-clockwise from y; else the file's, or y."),
]
Excluded = typer.Option(help="Images left out: their numbers from 0, as 0,17-19.")
Exclude = Annotated[str, Excluded]
Prepare = Annotated[
    list[str] | None,
    typer.Option(help="A preparation, as in bin:factor=2; several in order."),
]
Depth = Annotated[int | None, typer.Option(min=1, help="Thickness in voxels.")]
Seed = Annotated[int, typer.Option(min=0, help="Of every random number.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Steps of the solver.")]
Results = Annotated[Path, typer.Option(help="Folder for the results.")]
Force = Annotated[bool, typer.Option("--force", help="Replace earlier results.")]


def choices(words: Iterable[str | Mapping[str, Any]] | None) -> list[Choice]:
    """Parts from the command line; a command that is repeated has them as tables."""
    return [
        Choice.written(word) if isinstance(word, str) else Choice.of(word, "a step")
        for word in words or ()
    ]
