"""`tomoinr reconstruct` and `tomoinr run`."""

from __future__ import annotations

import enum
import shlex
import sys
import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from tomoinr.api import execute
from tomoinr.checkpoint import Checkpoints, Signals, Stopped
from tomoinr.cli.exits import INTERRUPTED, TO_BE_RESUMED, Told
from tomoinr.cli.given import (
    DATA,
    OUTPUT,
    PARTS,
    Angles,
    Depth,
    Exclude,
    Force,
    Images,
    Json,
    Order,
    PixelSize,
    Poses,
    Prepare,
    Priors,
    Projector,
    Quality,
    Seed,
    Solver,
    Speed,
    Steps,
    TiltAxis,
    Volume,
)
from tomoinr.cli.plain import tell
from tomoinr.cli.plan import show
from tomoinr.cli.progress import Progress
from tomoinr.cli.report import FILE as REPORT
from tomoinr.cli.report import Page, report_on
from tomoinr.cli.summary import summary
from tomoinr.cli.talk import say
from tomoinr.data import Reconstruction
from tomoinr.io import RESULTS, check_folder
from tomoinr.recipe import Choice, Recipe
from tomoinr.team import Team
from tomoinr.teams import open_team
from tomoinr.trust import FILES, assess, save
from tomoinr.trust import Trust as Judged


class Trust(enum.StrEnum):
    """What is done to find out how far the result can be believed."""

    none = "none"
    quick = "quick"
    full = "full"


JUDGED = {Trust.none: (), Trust.quick: FILES[:1], Trust.full: FILES}  # what each writes
RUN = "The run"  # a panel of the help page
Folder = Annotated[
    Path | None,
    typer.Option(
        help="Folder for the results; else STACK-tomoinr, here.",
        show_default=False,
        rich_help_panel=OUTPUT,
    ),
]
Judge = Annotated[
    Trust,
    typer.Option(
        help="Judge the result, in trust.json: quick takes half as long as --quality fast; full "
        "runs the recipe five times more and writes uncertainty.mrc.",
        rich_help_panel=OUTPUT,
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on from the last checkpoint in --out, if there is one.",
        rich_help_panel=RUN,
    ),
]
Often = Annotated[
    str,
    typer.Option(
        help="Checkpoints for --resume: a time (90s, 5min, 2h), steps (200), never.",
        rich_help_panel=RUN,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Say what would be done, how long it would take and how much memory; write nothing.",
        rich_help_panel=RUN,
    ),
]


def reconstruct(
    stack: Images,
    out: Folder = None,
    angles: Angles = None,
    pixel_size: PixelSize = None,
    tilt_axis: TiltAxis = None,
    exclude: Exclude = "",
    prepare: Prepare = None,
    volume: Volume = None,
    poses: Poses = None,
    projector: Projector = None,
    solver: Solver = None,
    prior: Priors = None,
    quality: Speed = Quality.default,
    steps: Steps = None,
    depth: Depth = None,
    start: Annotated[
        Path | None,
        typer.Option(help="Poses to start from: .json, .xf or .aln.", rich_help_panel=DATA),
    ] = None,
    align: Annotated[
        bool,
        typer.Option(help="Find rough poses before learning them.", rich_help_panel=PARTS),
    ] = True,
    seed: Seed = 0,
    exact: Annotated[
        bool,
        typer.Option(
            "--exact",
            help="The same to the last bit on 1, 2 and 4 ranks; slower.",
            rich_help_panel=RUN,
        ),
    ] = False,
    order: Annotated[
        Order, typer.Option(help="Axes of volume.mrc.", rich_help_panel=OUTPUT)
    ] = Order.imod,
    trust: Judge = Trust.quick,
    report: Page = True,
    checkpoint_every: Often = "5min",
    resume: Resume = False,
    dry_run: DryRun = False,
    as_json: Json = False,
    force: Force = False,
) -> None:
    """Reconstruct a tilt series; writes volume.mrc and what explains it.

    tomoinr reconstruct stack.mrc
    tomoinr reconstruct stack.mrc --quality fast --out first-look
    tomoinr reconstruct stack.mrc --volume siren --poses rigid --dry-run

    Without any option it aligns the images, measures their noise, stops
    by itself, and says what it assumed. Beside the volume it writes
    poses.json, history.csv, recipe.toml, provenance.json, trust.json and
    report.html.

    Any option of a part can be set in a recipe: edit the one that this
    writes, or `tomoinr recipe init`, then `tomoinr run recipe.toml`.
    """
    if out is None:
        out = _beside(stack)
        say(f"results go to {out} (--out names another folder)")
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
    chosen = Recipe.parse(table)
    if dry_run:
        show(chosen, steps, trust.value, force, as_json)
    else:
        _execute(chosen, steps, trust, report, checkpoint_every, resume, force, as_json)


def run(
    recipe: Annotated[Path, typer.Argument(help="A recipe (TOML), as `reconstruct` writes it.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the results.")] = None,
    steps: Steps = None,
    trust: Judge = Trust.quick,
    report: Page = True,
    checkpoint_every: Often = "5min",
    resume: Resume = False,
    dry_run: DryRun = False,
    as_json: Json = False,
    force: Force = False,
) -> None:
    """Carry out a recipe; paths in it count from its own folder."""
    chosen = Recipe.load(recipe, out)
    if dry_run:
        show(chosen, steps, trust.value, force, as_json)
    else:
        _execute(chosen, steps, trust, report, checkpoint_every, resume, force, as_json)


def _beside(stack: Path) -> Path:
    """The usual folder for results: here, named after the stack."""
    return Path(f"{stack.resolve().name.split('.')[0]}-tomoinr")


def _execute(
    recipe: Recipe,
    steps: int | None,
    trust: Trust,
    report: bool,
    every: str,
    resume: bool,
    force: bool,
    as_json: bool,
) -> None:
    begun = time.perf_counter()
    folder, order, team = Path(recipe.output.folder), recipe.output.order, open_team()
    check_folder(folder, (*RESULTS, *JUDGED[trust], REPORT), force)
    with Progress(team.rank == 0) as progress:
        with Signals() as signals:
            checkpoints = Checkpoints(
                folder / "checkpoints", every, resume, force, progress.tell, signals.asked
            )
            result = _stoppable(recipe, steps, force, team, progress, checkpoints)
        progress.tell(f"wrote {', '.join(RESULTS)} in {folder}")
        judged: Judged | None = None
        written: tuple[str, ...] = ()
        if trust is not Trust.none:
            judged = assess(result, trust is Trust.full, team=team)
            written = team.first(partial(save, folder, judged, result, order, force)) or ()
            for line in (*judged.lines(), f"wrote {', '.join(written)} in {folder}"):
                progress.tell(line)
        team.first(lambda: report_on(folder, result if report else None, progress))
    if as_json and team.rank == 0:
        seconds = time.perf_counter() - begun
        tell(summary(folder, result, judged, (*RESULTS, *written), seconds))


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
