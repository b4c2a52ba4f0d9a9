"""`tomoinr recipe init` and `tomoinr recipe check`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from tomoinr.cli.checks import Checked, check
from tomoinr.cli.given import (
    Force,
    Json,
    Poses,
    Priors,
    Projector,
    Quality,
    Solver,
    Speed,
    Volume,
)
from tomoinr.cli.listed import SETTINGS
from tomoinr.cli.plain import tell
from tomoinr.cli.recipe_text import commented
from tomoinr.io import describe
from tomoinr.io.atomic import atomic, check_free
from tomoinr.plugins import Plugins
from tomoinr.recipe import Choice, Recipe

app = typer.Typer(
    help="Write a recipe with every option, and check one before it is run.",
    no_args_is_help=True,
    add_completion=False,
    context_settings=SETTINGS,
)


@app.command("init")
def init(
    stack: Annotated[Path | None, typer.Argument(help="The tilt series that it is for.")] = None,
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("recipe.toml"),
    volume: Volume = None,
    poses: Poses = None,
    projector: Projector = None,
    solver: Solver = None,
    prior: Priors = None,
    quality: Speed = Quality.default,
    force: Force = False,
) -> None:
    """Write a recipe: every option of the parts chosen, explained, with its default.

    tomoinr recipe init stack.mrc --volume siren
    tomoinr recipe check recipe.toml
    tomoinr run recipe.toml
    """
    check_free(out, force)
    plugins, table = Plugins(), _chosen(volume, poses, projector, solver, prior)
    if stack:
        describe(stack, None, plugins)  # now: a recipe without its data is of no use
        inside = os.path.relpath(stack.absolute(), out.absolute().parent)
        table["data"] = {"stack": inside}
    table |= {"run": {"quality": quality.value}, "output": {"folder": f"{out.stem}-results"}}
    full = Recipe.parse(table).resolve(plugins)
    with atomic(out, force) as path:
        path.write_text(commented(full, plugins), "utf-8")
    typer.echo(f"wrote {out}; edit it, then: tomoinr run {out}")


@app.command("check")
def check_command(
    recipe: Annotated[Path, typer.Argument(help="A recipe (TOML).")],
    as_json: Json = False,
) -> None:
    """Say whether a recipe would run, without running it; exit code 2 if not.

    Looks at parts and options, whether they fit together, the files of
    the data and their angles, the memory for the volume, and where the
    results would go. Every problem is one line.
    """
    found = check(recipe, Plugins())
    if as_json:
        full = replace(found.recipe).table() if found.recipe else None
        tell({"file": str(recipe), "problems": found.problems, "recipe": full})
    else:
        for line in found.problems or [_sound(recipe, found)]:
            typer.echo(line)
    raise typer.Exit(2 if found.problems else 0)


def _chosen(
    volume: str | None,
    poses: str | None,
    projector: str | None,
    solver: str | None,
    prior: list[str] | None,
) -> dict[str, Any]:
    """Sections of the parts that are named."""
    named = {"volume": volume, "poses": poses, "projector": projector, "solver": solver}
    table: dict[str, Any] = {k: Choice.of(name, k).table() for k, name in named.items() if name}
    return table | ({"prior": prior} if prior else {})


def _sound(path: Path, found: Checked) -> str:
    assert found.stack is not None and found.recipe is not None, "there are no problems"
    count, rows, columns = found.stack.shape
    kinds = ("solver", "volume", "poses", "projector")
    parts = ", ".join(f"{kind} {c.name}" for kind in kinds if (c := getattr(found.recipe, kind)))
    return (
        f"{path}: would run: {count} images of {rows} × {columns} from {found.stack.source}; "
        f"{parts}; results in {found.recipe.output.folder}"
    )
