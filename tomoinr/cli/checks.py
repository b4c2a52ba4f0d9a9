"""Whether a recipe would run: every problem that can be found without running it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from tomoinr.assemble import assemble, check_size
from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError, reason
from tomoinr.geometry import Grid
from tomoinr.io import check_folder, describe, results
from tomoinr.io.applied import poses_for
from tomoinr.io.sections import read_sections
from tomoinr.plugins import Plugins
from tomoinr.recipe import PARTS, SEVERAL, Recipe
from tomoinr.stack import Stack

SMALL = 16  # pixels along the edges of images that stand for the real ones


class Checked:
    """What was found out; `problems` are lines, none if it would run."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.recipe: Recipe | None = None  # in full, once every section is sound
        self.stack: Stack | None = None

    @contextmanager
    def noting(self) -> Iterator[None]:
        """A mistake becomes a line, and the search goes on."""
        try:
            yield
        except (TomoinrError, OSError) as error:
            if reason(error) not in self.problems:
                self.problems.append(reason(error))


def check(path: Path, plugins: Plugins) -> Checked:
    """Look at a recipe: its sections, its data, whether parts fit, and where results would go."""
    found = Checked()
    with found.noting():
        recipe = Recipe.load(path)  # whole: what is wrong with one section only comes again below
    for name, section in _sections(path).items():
        with found.noting():
            alone = Recipe.parse({name: section}).beside(path.parent)
            _check_names(alone, plugins)
    if not found.problems:
        with found.noting():
            found.recipe = recipe.resolve(plugins)
            _check_data(found, found.recipe, plugins)
        with found.noting():
            check_folder(Path(recipe.output.folder), results(), force=False)
    return found


def _sections(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):  # told of by Recipe.load
        return {}


def _check_names(recipe: Recipe, plugins: Plugins) -> None:
    """The one part, or those of the one section, that a recipe has."""
    for kind in (*PARTS, *SEVERAL):
        chosen = getattr(recipe, SEVERAL.get(kind, kind)) or ()
        for choice in chosen if isinstance(chosen, tuple) else (chosen,):
            recipe.filled(kind, choice, plugins)


def _check_data(found: Checked, recipe: Recipe, plugins: Plugins) -> None:
    """The files, their number of angles, and whether the parts fit and the volume has room."""
    data = recipe.data
    if not data.stack:
        raise TomoinrError('[data]: the recipe names no tilt series; add stack = "…"')
    stack = describe(data.stack, data.angles, plugins, data.pixel_size, data.tilt_axis)
    wanted = found.stack = stack.but(read_sections(data.exclude))
    series = stand_in(wanted)
    if not recipe.prepare:  # which may well make images smaller
        _, rows, columns = wanted.shape
        depth = recipe.run.depth or columns
        check_size(Grid((rows, depth, columns), series.pixel_size), len(wanted.channels))
    if data.poses:
        with found.noting():
            poses_for(data.poses, series, stack, plugins)
    small = replace(recipe, run=replace(recipe.run, depth=None))
    assemble(series, small, plugins)


def stand_in(stack: Stack) -> TiltSeries:
    """A series with small images of noise in place of a stack's own."""
    assert stack.angles is not None and stack.tilt_axis is not None, "described by now"
    shape = (len(stack.channels), stack.shape[0], SMALL, SMALL)
    return TiltSeries(
        torch.rand(shape, generator=torch.Generator().manual_seed(0)),
        torch.tensor(stack.angles, dtype=torch.float64),
        1.0 if stack.pixel_size is None else stack.pixel_size,
        stack.channels,
        stack.sections or tuple(range(stack.shape[0])),
        stack.source,
        (stack.tilt_axis + 45) % 90 - 45,
    )
