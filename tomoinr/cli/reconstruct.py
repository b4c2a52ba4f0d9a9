"""`tomoinr reconstruct` and `tomoinr run`."""

from __future__ import annotations

import enum
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tomoinr.api import execute
from tomoinr.checkpoint import Checkpoints, Signals, Stopped
from tomoinr.cli.exits import INTERRUPTED, TO_BE_RESUMED, Told
from tomoinr.cli.given import (
    Angles,
    Depth,
    Exclude,
    Force,
    Images,
    PixelSize,
    Prepare,
    Results,
    Seed,
    Steps,
    TiltAxis,
)
from tomoinr.cli.progress import Progress
from tomoinr.cli.report import FILE as REPORT
from tomoinr.cli.report import Page, report_on
from tomoinr.data import Reconstruction
from tomoinr.io import RESULTS, check_folder
from tomoinr.recipe import Choice, Recipe
from tomoinr.team import Team
from tomoinr.teams import open_team
from tomoinr.trust import FILES, assess, save


class Quality(enum.StrEnum):
    """Time against quality."""

    fast = "fast"
    default = "default"
    best = "best"


class Order(enum.StrEnum):
    """Axes of the volume written."""

    imod = "imod"
    xyz = "xyz"


class Trust(enum.StrEnum):
    """What is done to find out how far the result can be believed."""

    none = "none"
    quick = "quick"
    full = "full"


JUDGED = {Trust.none: (), Trust.quick: FILES[:1], Trust.full: FILES}  # what each writes
Judge = Annotated[
    Trust,
    typer.Option(
        help="Judge the result, in trust.json: quick takes half as long as --quality fast; full "
        "runs the recipe five times more and writes uncertainty.mrc."
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on from the last checkpoint in --out, if there is one.")
]
Often = Annotated[
    str, typer.Option(help="Checkpoints for --resume: a time (90s, 5min, 2h), steps (200), never.")
]


def reconstruct(
    stack: Images,
    out: Results,
    angles: Angles = None,
    pixel_size: PixelSize = None,
    tilt_axis: TiltAxis = None,
    exclude: Exclude = "",
    prepare: Prepare = None,
    volume: Annotated[str | None, typer.Option(help="What is learned: siren, voxels, …")] = None,
    poses: Annotated[str | None, typer.Option(help="Pose model: fixed, shift, rigid, …")] = None,
    projector: Annotated[str | None, typer.Option(help="slices, quadrature, …")] = None,
    solver: Annotated[str | None, typer.Option(help="joint, tv, sirt, fbp, …")] = None,
    prior: Annotated[
        list[str] | None, typer.Option(help="tv, sparsity, …; several times for several.")
    ] = None,
    quality: Annotated[Quality, typer.Option(help="Time against quality.")] = Quality.default,
    steps: Steps = None,
    depth: Depth = None,
    start: Annotated[
        Path | None, typer.Option(help="Poses to start from: .json, .xf or .aln.")
    ] = None,
    align: Annotated[bool, typer.Option(help="Find rough poses before learning them.")] = True,
    seed: Seed = 0,
    exact: Annotated[
        bool, typer.Option("--exact", help="The same to the last bit on 1, 2 and 4 ranks; slower.")
    ] = False,
    order: Annotated[Order, typer.Option(help="Axes of volume.mrc.")] = Order.imod,
    trust: Judge = Trust.quick,
    report: Page = True,
    checkpoint_every: Often = "5min",
    resume: Resume = False,
    force: Force = False,
) -> None:
    """Reconstruct a tilt series; writes volume.mrc and what explains it.

    That is poses.json, history.csv, recipe.toml, provenance.json, trust.json and report.html.

    Any option of a part can be set in a recipe: edit the one that this writes, then
    `tomoinr run recipe.toml`.
    """
    data: dict[str, Any] = {"stack": str(stack), "angles": angles, "pixel_size": pixel_size}
    data |= {"poses": str(start) if start else None, "tilt_axis": tilt_axis, "exclude": exclude}
    table: dict[str, Any] = {
        "data": {name: value for name, value in data.items() if value is not None},
        "run": {"quality": quality.value, "seed": seed, "align": align, "exact": exact}
        | ({"depth": depth} if depth else {}),
        "output": {"folder": str(out), "order": order.value},
    }
    parts = {"volume": volume, "poses": poses, "projector": projector, "solver": solver}
    table |= {kind: name for kind, name in parts.items() if name is not None}
    table |= {"prior": prior} if prior else {}
    table |= {"prepare": [Choice.written(text).table() for text in prepare]} if prepare else {}
    _execute(Recipe.parse(table), steps, trust, report, checkpoint_every, resume, force)


def run(
    recipe: Annotated[Path, typer.Argument(help="A recipe (TOML), as `reconstruct` writes it.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the results.")] = None,
    steps: Steps = None,
    trust: Judge = Trust.quick,
    report: Page = True,
    checkpoint_every: Often = "5min",
    resume: Resume = False,
    force: Force = False,
) -> None:
    """Carry out a recipe; paths in it count from its own folder."""
    _execute(Recipe.load(recipe, out), steps, trust, report, checkpoint_every, resume, force)


def _execute(
    recipe: Recipe,
    steps: int | None,
    trust: Trust,
    report: bool,
    every: str,
    resume: bool,
    force: bool,
) -> None:
    folder, order, team = Path(recipe.output.folder), recipe.output.order, open_team()
    check_folder(folder, (*JUDGED[trust], REPORT), force)
    with Progress(team.rank == 0) as progress:
        with Signals() as signals:
            checkpoints = Checkpoints(
                folder / "checkpoints", every, resume, force, progress.tell, signals.asked
            )
            result = _stoppable(recipe, steps, force, team, progress, checkpoints)
        progress.tell(f"wrote {', '.join(RESULTS)} in {folder}")
        if trust is not Trust.none:
            judged = assess(result, trust is Trust.full, team=team)
            written = team.first(lambda: save(folder, judged, result, order, force)) or ()
            for line in (*judged.lines(), f"wrote {', '.join(written)} in {folder}"):
                progress.tell(line)
        team.first(lambda: report_on(folder, result if report else None, progress))


def _stoppable(
    recipe: Recipe,
    steps: int | None,
    force: bool,
    team: Team,
    progress: Progress,
    checkpoints: Checkpoints,
) -> Reconstruction:
    """The result, unless a signal comes first: then how to go on, and an exit code that says so."""
    try:
        return execute(
            recipe,
            steps=steps,
            force=force,
            team=team,
            tell=progress.tell,
            observers=[progress.stepped],
            checkpoints=checkpoints,
        )
    except Stopped as stopped:
        words = [word for word in sys.argv[1:] if word != "--resume"]
        again = shlex.join(["tomoinr", *words, "--resume"])
        progress.tell(f"{stopped}; go on with: {again}")
        code = INTERRUPTED if stopped.signal == "SIGINT" else TO_BE_RESUMED
        raise typer.Exit(Told(code)) from None
