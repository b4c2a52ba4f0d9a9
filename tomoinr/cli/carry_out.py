"""A recipe carried out: solved, judged, shown, written."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import typer

from tomoinr.api import execute
from tomoinr.checkpoint import Checkpoints, Signals, Stopped
from tomoinr.cli.exits import INTERRUPTED, TO_BE_RESUMED, Told
from tomoinr.cli.how import How
from tomoinr.cli.plain import tell
from tomoinr.cli.plan import show
from tomoinr.cli.progress import Progress
from tomoinr.cli.report import FILE as REPORT
from tomoinr.cli.report import report_on
from tomoinr.cli.summary import summary
from tomoinr.data import Reconstruction
from tomoinr.io import check_folder, results
from tomoinr.io.atomic import check_free
from tomoinr.live import LivePage, Preview, TensorBoard, Watch
from tomoinr.live.page import NAME as LIVE
from tomoinr.loop import Observer
from tomoinr.recipe import Recipe
from tomoinr.team import Team
from tomoinr.teams import open_team
from tomoinr.trust import FILES, Trust, assess, save

JUDGED = {"none": (), "quick": FILES[:1], "full": FILES}  # what each writes


def carry_out(recipe: Recipe, how: How) -> None:
    """Solve, judge and show; or only say what would be done."""
    if how.dry_run:
        show(recipe, how.steps, how.trust, how.force, how.as_json)
        return
    begun = time.perf_counter()
    folder, team = Path(recipe.output.folder), open_team()
    check_folder(folder, (*results(), *JUDGED[how.trust], REPORT), how.force)
    watches = [] if team.rank else list(_watches(recipe, how))
    with Progress(team.rank == 0) as progress, ExitStack() as open_watches:
        observers = [progress, *map(open_watches.enter_context, watches)]
        with Signals() as signals:
            checkpoints = Checkpoints(
                folder / "checkpoints",
                how.checkpoint_every,
                how.resume,
                how.force,
                progress.tell,
                signals.asked,
            )
            result = _stoppable(recipe, how, team, progress, observers, checkpoints)
        made = results(result.series.channels)
        progress.tell(f"wrote {', '.join(made)} in {folder}")
        judged, written = _judged(recipe, how, result, team, progress)
        team.first(lambda: report_on(folder, result if how.report else None, progress))
    if how.as_json and team.rank == 0:
        seconds = time.perf_counter() - begun
        tell(summary(folder, result, judged, (*made, *written), seconds))


def _watches(recipe: Recipe, how: How) -> Iterator[Watch]:
    """What shows the run; files that are there are refused, unless they may be replaced."""
    replace = how.force or how.resume
    if how.live:
        check_folder(Path(recipe.output.folder), (LIVE,), replace)
        yield LivePage(recipe.output.folder)
    if how.preview:
        check_free(how.preview, replace)
        yield Preview(how.preview)
    if how.tensorboard:
        board = TensorBoard(how.tensorboard)
        board.recipe(recipe.table())
        yield board


def _judged(
    recipe: Recipe, how: How, result: Reconstruction, team: Team, progress: Progress
) -> tuple[Trust | None, tuple[str, ...]]:
    """How far the result can be believed, and the files that say so."""
    if how.trust == "none":
        return None, ()
    folder, order = Path(recipe.output.folder), recipe.output.order
    judged = assess(result, how.trust == "full", team=team)
    written = team.first(lambda: save(folder, judged, result, order, how.force)) or ()
    for line in (*judged.lines(), f"wrote {', '.join(written)} in {folder}"):
        progress.tell(line)
    return judged, written


def _stoppable(
    recipe: Recipe,
    how: How,
    team: Team,
    progress: Progress,
    observers: Sequence[Observer],
    checkpoints: Checkpoints,
) -> Reconstruction:
    """The result, unless a signal comes first: then how to go on, and an exit code that says so."""
    try:
        return execute(
            recipe,
            steps=how.steps,
            force=how.force,
            team=team,
            tell=progress.tell,
            observers=observers,
            checkpoints=checkpoints,
        )
    except Stopped as stopped:
        words = [word for word in sys.argv[1:] if word != "--resume"]
        again = shlex.join(["tomoinr", *words, "--resume"])
        progress.tell(f"{stopped}; go on with: {again}")
        code = INTERRUPTED if stopped.signal == "SIGINT" else TO_BE_RESUMED
        raise typer.Exit(Told(code)) from None
