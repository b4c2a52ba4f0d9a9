"""`--dry-run`: what would be done, how long it would take, and how much memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import typer

from tomoinr.api import assumptions
from tomoinr.assemble import assemble
from tomoinr.cli.forecast import Forecast, forecast
from tomoinr.cli.plain import tell
from tomoinr.cli.progress import Progress
from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.io import check_folder, describe, results, take
from tomoinr.io.applied import poses_for
from tomoinr.io.collecting import collect
from tomoinr.plugins import Plugins
from tomoinr.recipe import Recipe, build
from tomoinr.trust import FILES

MINUTE, HOUR = 60, 3600
GIB, MIB = 2**30, 2**20
JUDGED = {
    "none": "no judging",
    "quick": "then judging (--trust quick): about half as long as --quality fast, not counted",
    "full": "then judging (--trust full): five more reconstructions, not counted",
}


class Plan(NamedTuple):
    """What a run would do."""

    series: TiltSeries
    recipe: Recipe  # in full
    trust: str
    told: Forecast

    def lines(self) -> Iterator[str]:
        """For people."""
        yield from assumptions(self.series, self.recipe)
        yield from (f"first: {step.name} {dict(step.options)}" for step in self.recipe.prepare)
        assert self.recipe.solver, "resolved"
        yield f"{self.told.steps} steps of the solver {self.recipe.solver.name}"
        yield JUDGED[self.trust]
        judged = () if self.trust == "none" else (FILES if self.trust == "full" else FILES[:1])
        files = (*results(self.series.channels), *judged)
        yield f"would write {', '.join(files)} in {self.recipe.output.folder}"
        copies = " and ".join(f"{width}" for width in self.told.copies)
        yield (
            f"it would take about {spoken(self.told.seconds)} and {_memory(self.told.memory)}, on "
            "one process of this machine"
        )
        yield (
            f"(from runs on the same data at {copies} pixels across, in "
            f"{spoken(self.told.spent)}; such a figure may be off by a factor of two)"
        )
        yield "nothing was written"

    def table(self) -> dict[str, Any]:
        """For programs."""
        return {
            "assumptions": assumptions(self.series, self.recipe),
            "steps": self.told.steps,
            "seconds": self.told.seconds,
            "memory": self.told.memory,
            "measured_at": list(self.told.copies),
            "recipe": self.recipe.table(),
        }


def show(recipe: Recipe, steps: int | None, trust: str, force: bool, as_json: bool) -> None:
    """Find out what a recipe would do, and say it."""
    plugins = Plugins()
    check_folder(Path(recipe.output.folder), results(), force)
    with Progress() as progress:
        progress.tell("a dry run: trying the same on small copies of the data")
        full, series = _series(recipe, steps, plugins)
        told = forecast(series, full)
    plan = Plan(series, full, trust, told)
    if as_json:
        tell(plan.table())
    else:
        typer.echo("\n".join(plan.lines()))


def _series(recipe: Recipe, steps: int | None, plugins: Plugins) -> tuple[Recipe, TiltSeries]:
    """The recipe in full and the images, once it is sure that the parts fit them."""
    data = recipe.data
    if not data.stack:
        raise TomoinrError('[data]: the recipe names no tilt series; add stack = "…"')
    stack = describe(data.stack, data.angles, plugins, data.pixel_size, data.tilt_axis)
    recipe = recipe.resolve(plugins, steps=steps, channels=len(stack.channels))
    prepare = [build("prepare", step, plugins) for step in recipe.prepare]
    series = take(stack, data.exclude, prepare)
    series = collect(series, data.channel, plugins, prepare)
    start = poses_for(data.poses, series, stack, plugins) if data.poses else None
    assemble(series, recipe, plugins, start)
    return recipe, series


def spoken(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 1.5 * MINUTE:
        return f"{max(1, round(seconds))} s"
    if seconds < 1.5 * HOUR:
        return f"{round(seconds / MINUTE)} min"
    return f"{seconds / HOUR:.1f} h"


def _memory(size: float) -> str:
    if math.isnan(size):
        return "an unknown amount of memory"
    return f"{size / GIB:.1f} GiB of memory" if size > GIB else f"{size / MIB:.0f} MiB of memory"
