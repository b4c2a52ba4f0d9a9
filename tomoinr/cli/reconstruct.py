"""`tomoinr reconstruct` and `tomoinr run`."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated, Any

import typer

from tomoinr.cli.channels import Channels, PosesFrom, channel_tables
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
    choices,
)
from tomoinr.cli.how import How
from tomoinr.cli.talk import say


class Trust(enum.StrEnum):
    """What is done to find out how far the result can be believed."""

    none = "none"
    quick = "quick"
    full = "full"


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
Page = Annotated[
    bool,
    typer.Option(
        "--report/--no-report",
        help="Write report.html, a page on the result.",
        rich_help_panel=OUTPUT,
    ),
]
WATCH = "While it runs"
Live = Annotated[
    bool,
    typer.Option(
        "--live",
        help="Keep live.html in --out: a page with slices and losses of the run.",
        rich_help_panel=WATCH,
    ),
]
Picture = Annotated[
    Path | None,
    typer.Option(
        "--preview",
        help="Keep a PNG file with slices and losses of the run.",
        rich_help_panel=WATCH,
    ),
]
Board = Annotated[
    Path | None,
    typer.Option(
        "--tensorboard",
        help="Folder in which to log the run for TensorBoard.",
        rich_help_panel=WATCH,
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
    channel: Channels = None,
    poses_from: PosesFrom = None,
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
    live: Live = False,
    preview: Picture = None,
    tensorboard: Board = None,
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
    from tomoinr.cli.carry_out import carry_out  # torch: only when there is work
    from tomoinr.recipe import Recipe

    if out is None:
        out = _beside(stack)
        if stack.exists():  # else there is something else to say
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
    table |= {"prepare": [step.table() for step in choices(prepare)]} if prepare else {}
    if channel or poses_from:
        table["data"]["channel"] = channel_tables(channel or [], poses_from or [])
    watch = live, preview, tensorboard
    how = How(steps, trust.value, report, checkpoint_every, resume, *watch, dry_run, as_json, force)
    carry_out(Recipe.parse(table), how)


def run(
    recipe: Annotated[Path, typer.Argument(help="A recipe (TOML), as `reconstruct` writes it.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the results.")] = None,
    steps: Steps = None,
    trust: Judge = Trust.quick,
    report: Page = True,
    checkpoint_every: Often = "5min",
    resume: Resume = False,
    live: Live = False,
    preview: Picture = None,
    tensorboard: Board = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    force: Force = False,
) -> None:
    """Carry out a recipe; paths in it count from its own folder."""
    from tomoinr.cli.carry_out import carry_out
    from tomoinr.recipe import Recipe

    watch = live, preview, tensorboard
    how = How(steps, trust.value, report, checkpoint_every, resume, *watch, dry_run, as_json, force)
    carry_out(Recipe.load(recipe, out), how)


def _beside(stack: Path) -> Path:
    """The usual folder for results: here, named after the stack."""
    return Path(f"{stack.resolve().name.split('.')[0]}-tomoinr")
