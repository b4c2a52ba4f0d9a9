"""Saving: nothing is half written, and nothing is replaced unless forced."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import tomli_w

from tomoinr.data import Reconstruction, TiltSeries
from tomoinr.errors import TomoinrError, told_plainly
from tomoinr.io.angles import holds
from tomoinr.io.atomic import atomic, check_free, made
from tomoinr.io.history import history_text
from tomoinr.io.outputs import check_apart, check_folder, check_suffix
from tomoinr.io.poses import poses_text
from tomoinr.io.provenance import NAME as PROVENANCE
from tomoinr.io.provenance import counted_from, provenance
from tomoinr.io.verify import verify
from tomoinr.plugins import Plugins

log = logging.getLogger(__name__)

RESULTS = ("volume.mrc", "poses.json", "history.csv", "recipe.toml", PROVENANCE)


def save(
    path: str | Path,
    value: TiltSeries | Reconstruction,
    force: bool = False,
    order: str = "imod",
    plugins: Plugins | None = None,
) -> Path:
    """Write images and `<stem>.rawtlt`, or a volume, to a file whose suffix names the format.

    A `.rawtlt` that has these angles already stays as it is.
    """
    path = Path(path)
    texts: dict[Path, str] = {}
    if isinstance(value, TiltSeries):
        angles, beside = value.angles.tolist(), path.with_suffix(".rawtlt")
        texts = {} if holds(beside, angles) else {beside: _lines(map(repr, angles))}
    _publish_all(path, value, order, texts, force, plugins)
    return path


def save_reconstruction(
    folder: str | Path,
    result: Reconstruction,
    order: str = "imod",
    force: bool = False,
    plugins: Plugins | None = None,
) -> Path:
    """Write volume.mrc and what explains it (`RESULTS`): all of them, or none."""
    folder, plugins = Path(folder), plugins or Plugins()
    check_folder(folder, RESULTS, force)
    recipe = _recipe_text(result, folder, order)
    texts = {
        folder / "poses.json": poses_text(result.poses, result.series),
        folder / "history.csv": history_text(result.history),
        folder / "recipe.toml": recipe,
        folder / PROVENANCE: _provenance_text(result, folder, recipe, plugins),
    }
    with made(folder):
        _publish_all(folder / "volume.mrc", result, order, texts, force, plugins)
    return folder


def _recipe_text(result: Reconstruction, folder: Path, order: str) -> str:
    """The recipe, its paths counted from the folder it goes to, under what there is to note."""
    table = dict(result.recipe) | {"output": {"folder": ".", "order": order}}
    data = dict(table.get("data", {}))
    paths = (name for name in ("stack", "poses") if data.get(name))
    data |= {name: counted_from(folder, data[name]) for name in paths}
    table |= {"data": data} if data else {}
    return _lines(f"# {' '.join(note.split())}" for note in result.notes) + tomli_w.dumps(table)


def _provenance_text(result: Reconstruction, folder: Path, recipe: str, plugins: Plugins) -> str:
    """Versions and checksums as JSON, paths counted from the folder, as in the recipe."""
    table = provenance(result.recipe, result.notes, plugins)
    for known in table["inputs"].values():
        known["path"] = counted_from(folder, known["path"])
    written = hashlib.sha256(recipe.replace("\n", os.linesep).encode()).hexdigest()
    table["inputs"]["recipe"] = {"path": "recipe.toml", "sha256": written}
    return json.dumps(table, indent=1) + "\n"


def _publish_all(
    path: Path,
    value: TiltSeries | Reconstruction,
    order: str,
    texts: dict[Path, str],
    force: bool,
    plugins: Plugins | None,
) -> None:
    """An array and the texts that belong to it; none appears before all are written."""
    plugins = plugins or Plugins()
    source = (value if isinstance(value, TiltSeries) else value.series).source
    for target in (path, *texts):
        check_free(target, force)
        check_apart(target, source)
    with ExitStack() as open_files:
        temporary = open_files.enter_context(atomic(path, force))
        with told_plainly(f"{path}: cannot be written"):
            if not plugins.write(temporary, value, order):
                check_suffix(path, plugins)
                raise TomoinrError(
                    f"{path}: no writer takes a {type(value).__name__} there; use .mrc"
                )
            verify(temporary, value, plugins)
        for target, text in texts.items():
            open_files.enter_context(atomic(target, force)).write_text(text, "utf-8")
    log.info("wrote %s", ", ".join(str(target) for target in (path, *texts)))


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
