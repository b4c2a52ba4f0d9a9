"""Saving: nothing is half written, and nothing is replaced unless forced."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

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


def results(channels: Sequence[str] = ()) -> tuple[str, ...]:
    """The files of a result; of several channels, each has a volume of its own."""
    return (*volume_names(channels), *RESULTS[1:])


def volume_names(channels: Sequence[str] = ()) -> tuple[str, ...]:
    """volume.mrc, or volume-NAME.mrc for each of several channels."""
    if len(channels) < 2:
        return RESULTS[:1]
    plain = [re.sub(r"[^\w.+-]", "_", name) for name in channels]
    unlike = len({name.lower() for name in plain}) == len(plain)
    return tuple(
        f"volume-{name}.mrc" if unlike else f"volume-{i}-{name}.mrc" for i, name in enumerate(plain)
    )


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
    if isinstance(value, TiltSeries) and value.uneven:
        raise TomoinrError(
            f"{path}: channels {', '.join(value.uneven)} lack images or are coarser, which no file "
            "of all of them would tell; save them one by one, as series.channel(0)"
        )
    if isinstance(value, TiltSeries):
        angles, beside = value.angles.tolist(), path.with_suffix(".rawtlt")
        texts = {} if holds(beside, angles) else {beside: _lines(map(repr, angles))}
    _publish_all({path: value}, order, texts, force, plugins)
    return path


def save_reconstruction(
    folder: str | Path,
    result: Reconstruction,
    order: str = "imod",
    force: bool = False,
    plugins: Plugins | None = None,
) -> Path:
    """Write volume.mrc and what explains it (`results`): all of them, or none."""
    folder, plugins = Path(folder), plugins or Plugins()
    channels = result.series.channels
    check_folder(folder, results(channels), force)
    recipe = _recipe_text(result, folder, order)
    texts = {
        folder / "poses.json": poses_text(result.poses, result.series),
        folder / "history.csv": history_text(result.history),
        folder / "recipe.toml": recipe,
        folder / PROVENANCE: _provenance_text(result, folder, recipe, plugins),
    }
    with made(folder):
        parts = [result] if result.voxels.ndim == 3 else [_part(result, c) for c in channels]
        volumes = zip(volume_names(channels), parts, strict=True)
        _publish_all({folder / name: one for name, one in volumes}, order, texts, force, plugins)
    return folder


def _part(result: Reconstruction, channel: str) -> Reconstruction:
    """One channel's volume, to be written."""
    index = result.series.channels.index(channel)
    return replace(result, voxels=result.voxels[index], series=result.series.channel(index))


def _recipe_text(result: Reconstruction, folder: Path, order: str) -> str:
    """The recipe, its paths counted from the folder it goes to, under what there is to note."""
    table = dict(result.recipe) | {"output": {"folder": ".", "order": order}}
    data = dict(table.get("data", {}))
    data |= _counted_from(folder, data, ("stack", "poses"))
    if data.get("channel"):
        data["channel"] = [
            {**one, **_counted_from(folder, one, ("stack", "angles"))} for one in data["channel"]
        ]
    table |= {"data": data} if data else {}
    return _lines(f"# {' '.join(note.split())}" for note in result.notes) + tomli_w.dumps(table)


def _counted_from(folder: Path, table: Mapping[str, Any], names: Iterable[str]) -> dict[str, str]:
    """Those of a table's paths that are there, counted from a folder."""
    paths = {name: table.get(name) for name in names}
    return {
        n: counted_from(folder, p)
        for n, p in paths.items()
        if isinstance(p, str) and _is_path(n, p)
    }


def _is_path(name: str, text: str) -> bool:
    """Angles may be a range as well."""
    return bool(text) and (name != "angles" or text.count(":") != 2 or os.path.exists(text))


def _provenance_text(result: Reconstruction, folder: Path, recipe: str, plugins: Plugins) -> str:
    """Versions and checksums as JSON, paths counted from the folder, as in the recipe."""
    table = provenance(result.recipe, result.notes, plugins)
    for known in table["inputs"].values():
        known["path"] = counted_from(folder, known["path"])
    written = hashlib.sha256(recipe.replace("\n", os.linesep).encode()).hexdigest()
    table["inputs"]["recipe"] = {"path": "recipe.toml", "sha256": written}
    return json.dumps(table, indent=1) + "\n"


def _publish_all(
    values: Mapping[Path, TiltSeries | Reconstruction],
    order: str,
    texts: dict[Path, str],
    force: bool,
    plugins: Plugins | None,
) -> None:
    """Arrays and the texts that belong to them; none appears before all are written."""
    plugins = plugins or Plugins()
    for value in values.values():
        source = (value if isinstance(value, TiltSeries) else value.series).source
        for target in (*values, *texts):
            check_free(target, force)
            check_apart(target, source)
    with ExitStack() as open_files:
        for path, value in values.items():
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
    log.info("wrote %s", ", ".join(str(target) for target in (*values, *texts)))


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
