"""`tomoinr choose`: which representation predicts images best that it has not seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tomoinr.cli.given import (
    OUTPUT,
    PARTS,
    Angles,
    Exclude,
    Images,
    Json,
    PixelSize,
    Quality,
    TiltAxis,
    choices,
)
from tomoinr.cli.plain import tell
from tomoinr.io import read_poses
from tomoinr.io.atomic import atomic, check_free
from tomoinr.plugins import Plugins
from tomoinr.recipe import Choice, Recipe
from tomoinr.stack import Stack
from tomoinr.trust.race import RUNNERS, Chosen

Runners = Annotated[
    list[str] | None,
    typer.Option(
        "--volume",
        help="What runs, as voxels or siren:omega=20; repeatable. The first is kept unless another "
        f"clearly beats it. Else {', '.join(RUNNERS)}.",
        rich_help_panel=PARTS,
    ),
]


def choose(
    stack: Images,
    out: Annotated[
        Path | None,
        typer.Option(help="Write the choice as a recipe (.toml).", rich_help_panel=OUTPUT),
    ] = None,
    angles: Angles = None,
    pixel_size: PixelSize = None,
    tilt_axis: TiltAxis = None,
    exclude: Exclude = "",
    volume: Runners = None,
    quality: Annotated[
        Quality, typer.Option(help="Of every run.", rich_help_panel=PARTS)
    ] = Quality.fast,
    start: Annotated[
        Path | None, typer.Option(help="Poses, as .json, .xf or .aln; else found first.")
    ] = None,
    as_json: Json = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier recipe.")] = False,
) -> None:
    """Let images that were left out choose: voxels, a feature grid, or networks.

    tomoinr choose stack.mrc --out choice.toml
    tomoinr choose stack.mrc --volume siren:omega=10 --volume siren:omega=30

    Each is reconstructed from most of the images and predicts the rest. It
    takes a run of each and one more, which finds the poses that all have.
    Voxels, the first, are kept unless another is clearly better. What no
    image shows, the missing wedge above all, is not judged.
    """
    from tomoinr.io import describe, take  # torch: only when there is work
    from tomoinr.trust.race import choose as race

    if out:
        check_free(out, force)
    plugins = Plugins()
    written = dict(zip(volume or (), choices(volume), strict=True))
    runners = {text: _options(one) for text, one in written.items()} or None
    for one in written.values():
        Recipe().filled("volume", one, plugins)  # now: it would be a pity after all the work
    filed: Stack = describe(stack, angles, plugins, pixel_size, tilt_axis)
    series = take(filed, exclude)
    poses = read_poses(start, series) if start else None
    found = race(series, runners, poses, quality.value, plugins)
    if out:
        data: dict[str, Any] = {"stack": str(stack), "angles": angles, "exclude": exclude}
        data |= {"poses": start and str(start), "pixel_size": pixel_size, "tilt_axis": tilt_axis}
        given = {name: value for name, value in data.items() if value}
        chosen = {kind: part for kind, part in found.options.items() if kind == "volume"}
        recipe = Recipe.parse({"data": given, "run": {"quality": quality.value}, **chosen})
        recipe = replace(recipe, data=recipe.beside(Path.cwd()).data)
        with atomic(out, force) as temporary:
            temporary.write_text(recipe.toml(), "utf-8")
    _tell(found, out, as_json)


def _options(choice: Choice) -> dict[str, Any]:
    """For `reconstruct`; voxels are the automatic solver's."""
    plain = choice.name == "voxels" and not choice.options
    return {} if plain else {"volume": choice.table()}


def _tell(found: Chosen, out: Path | None, as_json: bool) -> None:
    """The race in a table, or for scripts."""
    if as_json:
        names = ("name", "misfit", "error", "behind", "behind_error", "beaten", "seconds")
        ranked = [{name: getattr(one, name) for name in names} for one in found.ranked]
        tell({"chosen": found.name, "recipe": str(out) if out else None, "ranked": ranked})
        return
    console, table = Console(soft_wrap=True, highlight=False), Table(box=None, pad_edge=False)
    for title in ("choice", "χ² of images held out", "behind the best by", "seconds"):
        table.add_column(title, justify="left" if title == "choice" else "right", no_wrap=True)
    for one in found.ranked:
        behind = f"{one.behind:.4f} ± {one.behind_error:.4f}" if one.behind else ""
        table.add_row(one.name, f"{one.misfit:.4f}", behind, f"{one.seconds:.1f}")
    console.print(table)
    best = found.ranked[0].name
    why = "" if best == found.name else f": {best} is not better by two standard errors"
    console.print(f"chosen: {found.name}{why}", markup=False)
    if out:
        console.print(f"wrote {out}; go on with: tomoinr run {out} --out result", markup=False)
