"""Loading and saving: nothing is half written, and nothing is replaced unless forced."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomli_w
import torch

from tomoinr.angles import read_angles
from tomoinr.atomic import atomic, check_free
from tomoinr.data import Reconstruction, TiltSeries
from tomoinr.errors import TomoinrError, reason
from tomoinr.geometry import Poses
from tomoinr.plugins import Plugins

CONVENTION = (
    "A point (x, y, z), right-handed, origin at the box's centre, tilt axis y, beam along z, lands "
    "at Rz(rotation) Rx(out_of_plane) Ry(tilt) (x, y, z) + (dx, dy): degrees, pixels, "
    "Ry(tilt): x' = x cos - z sin, z' = x sin + z cos, Rz from x to y, Rx from y to z."
)


RESULTS = ("volume.mrc", "poses.json", "history.csv", "recipe.toml")


def load(
    path: str | Path,
    angles: Any = None,
    plugins: Plugins | None = None,
    pixel_size: float | None = None,
) -> TiltSeries:
    """A tilt series from a file; `angles`: see `read_angles`, or found beside it.

    `pixel_size` (Å) is believed in place of the file's own.
    """
    path = Path(path)
    if not path.exists():
        raise TomoinrError(f"{path}: there is no such file")
    if not path.is_file():
        raise TomoinrError(f"{path}: this is not a file; give the stack itself")
    if not path.stat().st_size:
        raise TomoinrError(f"{path}: the file is empty")
    given = None if angles is None else read_angles(angles)
    with _told_plainly(f"{path}: cannot be read"):
        series = (plugins or Plugins()).read(path, given, pixel_size)
    if not isinstance(series, TiltSeries):
        raise TomoinrError(
            f"{path}: no reader knows this file; MRC stacks (.mrc .st .ali .rec .mrcs) can be "
            "read, other formats need a plugin"
        )
    # For readers that do not ask for it.
    return series if pixel_size is None else replace(series, pixel_size=pixel_size)


@contextmanager
def _told_plainly(what: str) -> Iterator[None]:
    """A stranger's reader or writer may raise anything: one line of it."""
    try:
        yield
    except TomoinrError:
        raise
    except Exception as error:
        raise TomoinrError(f"{what}: {reason(error)}") from error


def save(
    path: str | Path,
    value: TiltSeries | Reconstruction,
    force: bool = False,
    order: str = "imod",
    plugins: Plugins | None = None,
) -> Path:
    """Write images and `<stem>.rawtlt`, or a volume, to a file whose suffix names the format."""
    path = Path(path)
    texts = {}
    if isinstance(value, TiltSeries):
        texts[path.with_suffix(".rawtlt")] = _lines(map(repr, value.angles.tolist()))
    _publish_all(path, value, order, texts, force, plugins)
    return path


def save_reconstruction(
    folder: str | Path,
    result: Reconstruction,
    order: str = "imod",
    force: bool = False,
    plugins: Plugins | None = None,
) -> Path:
    """Write volume.mrc, poses.json, history.csv and recipe.toml: all of them, or none."""
    folder = Path(folder)
    check_folder(folder, RESULTS, force)
    records = (f"{r.step},{r.loss!r},{r.seconds:.6f}" for r in result.history)
    texts = {
        folder / "poses.json": poses_text(result.poses, result.series),
        folder / "history.csv": _lines(("step,loss,seconds", *records)),
        folder / "recipe.toml": _recipe_text(result, folder, order),
    }
    folder.mkdir(parents=True, exist_ok=True)
    _publish_all(folder / "volume.mrc", result, order, texts, force, plugins)
    return folder


def _recipe_text(result: Reconstruction, folder: Path, order: str) -> str:
    """The recipe, its paths counted from the folder it goes to, under what there is to note."""
    table = dict(result.recipe) | {"output": {"folder": ".", "order": order}}
    data = dict(table.get("data", {}))
    data |= {name: _from(folder, data[name]) for name in ("stack", "poses") if data.get(name)}
    table |= {"data": data} if data else {}
    return _lines(f"# {' '.join(note.split())}" for note in result.notes) + tomli_w.dumps(table)


def _from(folder: Path, path: str) -> str:
    """A path counted from a folder; whole where they have nothing in common to move together."""
    base, there = Path(os.path.realpath(folder)), Path(os.path.realpath(Path(path).parent))
    together = base.parts[:2] == there.parts[:2]  # drive or root, and the first folder
    return os.path.relpath(there / Path(path).name, base) if together else path


def check_folder(folder: Path, names: Iterable[str], force: bool) -> None:
    """Refuse what cannot be a folder, or holds some of these files already unless forced."""
    there = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    if not there.is_dir():
        raise TomoinrError(f"{there}: this is a file; name a folder for the results")
    for name in names:
        check_free(folder / name, force)


def _publish_all(
    path: Path,
    value: TiltSeries | Reconstruction,
    order: str,
    texts: dict[Path, str],
    force: bool,
    plugins: Plugins | None,
) -> None:
    """An array and the texts that belong to it; none appears before all are written."""
    source = Path((value if isinstance(value, TiltSeries) else value.series).source)
    for target in (path, *texts):
        check_free(target, force)
        if target.exists() and source.exists() and os.path.samefile(target, source):
            raise TomoinrError(f"{target}: this is the data's own file; save under another name")
    with ExitStack() as open_files:
        temporary = open_files.enter_context(atomic(path, force))
        with _told_plainly(f"{path}: cannot be written"):
            written = (plugins or Plugins()).write(temporary, value, order)
        if not written:
            raise TomoinrError(f"{path}: no writer knows the suffix '{path.suffix}'; use .mrc")
        for target, text in texts.items():
            open_files.enter_context(atomic(target, force)).write_text(text, "utf-8")


def poses_text(poses: Poses, series: TiltSeries) -> str:
    """Poses as JSON: for each image its section, nominal angle (°), angles (°), shifts (pixels)."""
    exact = Poses(poses.rotation.detach().double(), poses.shift.detach().double()).angles()
    found = exact._replace(dx=exact.dx / series.pixel_size, dy=exact.dy / series.pixel_size)
    columns = {"section": list(series.sections), "angle": series.angles.tolist()}
    columns |= {name: values.tolist() for name, values in found._asdict().items()}
    tilts = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    content = {"convention": CONVENTION, "pixel_size": series.pixel_size, "tilts": tilts}
    return json.dumps(content, indent=1) + "\n"


def read_poses(path: str | Path) -> Poses:
    """The poses of a poses.json; shifts in Å."""
    try:
        content = json.loads(Path(path).read_text("utf-8"))
        names = ("tilt", "rotation", "out_of_plane", "dx", "dy")
        rows = [[float(tilt[name]) for name in names] for tilt in content["tilts"]]
        table = torch.tensor(rows, dtype=torch.float64).reshape(-1, len(names))
        if not bool(table.isfinite().all()):
            raise ValueError("an angle or shift is not a finite number")
        tilt, rotation, out_of_plane = table[:, :3].T
        shift = table[:, 3:] * float(content["pixel_size"])
        return Poses.of(tilt, rotation, out_of_plane, shift)
    except KeyError as error:
        raise TomoinrError(f"{path}: no poses can be read from it: it holds no {error}") from None
    except (OSError, ValueError, TypeError) as error:
        raise TomoinrError(f"{path}: no poses can be read from it: {reason(error)}") from error


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
