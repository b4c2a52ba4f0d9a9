"""Where a result comes from: versions, machine, and checksums of the files that went in."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from tomoinr.errors import TomoinrError, reason
from tomoinr.io.angles import angles_beside, read_angles
from tomoinr.plugins import Plugins
from tomoinr.version import __version__

NAME = "provenance.json"
LIBRARIES = ("numpy", "scipy", "torch")


def provenance(
    recipe: Mapping[str, Any], notes: tuple[str, ...], plugins: Plugins
) -> dict[str, Any]:
    """What a result of this recipe (a table, its paths whole) was made with, and from."""
    return {
        "seed": recipe.get("run", {}).get("seed"),
        "versions": versions(recipe, plugins),
        "machine": machine(),
        "notes": list(notes),
        "inputs": {
            name: {"path": str(path), "sha256": sha256(path)}
            for name, path in input_files(recipe.get("data", {})).items()
        },
    }


def counted_from(folder: Path, path: str | Path) -> str:
    """A path counted from a folder; whole where they have nothing in common to move together."""
    base, there = Path(os.path.realpath(folder)), Path(os.path.realpath(Path(path).parent))
    together = base.parts[:2] == there.parts[:2]  # drive or root, and the first folder
    return os.path.relpath(there / Path(path).name, base) if together else str(path)


def versions(recipe: Mapping[str, Any], plugins: Plugins) -> dict[str, str]:
    """Versions of Python, tomoinr, the libraries that count, and who provides the parts."""
    found = {"python": platform.python_version(), "tomoinr": __version__}
    found |= {name: version(name) for name in LIBRARIES}
    for part in plugins.parts():
        if part.name in _named(recipe.get(part.kind)):
            distribution, _, number = part.provider.partition(" ")
            found |= {distribution: number} if number else {}
    return found


def machine() -> dict[str, str]:
    """What rounding depends on, besides versions."""
    device = torch.cuda.get_device_name() if torch.cuda.is_initialized() else "cpu"
    threads = str(torch.get_num_threads())
    return {"system": platform.platform(), "device": device, "threads": threads}


def input_files(data: Mapping[str, Any]) -> dict[str, Path]:
    """Files (or folders) that a recipe's [data] is read from, of those that are there."""
    named = {name: data.get(name) for name in ("stack", "angles", "poses")}
    found = {name: Path(path) for name, path in named.items() if isinstance(path, str)}
    if "stack" in found and (beside := angles_beside(found["stack"])) and _holds(beside, data):
        found["angles"] = beside
    for one in data.get("channel", ()):  # other signals, each in a file of its own
        found |= {f"channel {one['name']}": Path(one["stack"])} if one.get("stack") else {}
    return {name: path for name, path in found.items() if path.exists()}


def sha256(path: Path) -> str | None:
    """Of a file, or of all files in a folder with their names; nothing where one is unreadable."""
    try:
        if path.is_file():
            return _digest(path)
        whole = hashlib.sha256()
        for inner in sorted(p for p in path.rglob("*") if p.is_file()):
            whole.update(f"{inner.relative_to(path).as_posix()}\0{_digest(inner)}\n".encode())
        return whole.hexdigest()
    except OSError:  # a finished result is not lost over an input that has gone
        return None


def read_provenance(folder: Path, name: str = NAME) -> dict[str, Any] | None:
    """What was written with a result; nothing beside results of older versions."""
    path = folder / name
    if not path.exists():
        return None
    try:
        table = json.loads(path.read_text("utf-8"))
        if not all(isinstance(table[name], dict) for name in ("versions", "machine", "inputs")):
            raise ValueError("a section is no table")
        return table
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise TomoinrError(f"{path}: this is no record of provenance: {reason(error)}") from None


def changed_versions(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """A line for each version, and for each thing about the machine, that is another now."""
    for section in ("versions", "machine"):
        for name, was in then[section].items():
            found = now[section].get(name, "nothing")
            if found != was:
                yield f"{name}: {was} then, {found} now"


def changed_inputs(then: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """A line for each file that is not what it was; paths count from the result's folder."""
    for name, known in then["inputs"].items():
        path = folder / str(known.get("path"))
        if not path.exists():
            yield f"{name}: {path} is not there any more"
        elif known.get("sha256") and sha256(path) != known["sha256"]:
            yield f"{name}: {path} has changed (its sha256 is another)"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _named(section: Any) -> set[str]:
    """Names of the parts in a recipe's section of one kind."""
    parts = section if isinstance(section, list | tuple) else [section]
    return {part["name"] for part in parts if isinstance(part, Mapping) and "name" in part}


def _holds(path: Path, data: Mapping[str, Any]) -> bool:
    """Whether these angles are the recipe's."""
    try:
        return list(read_angles(path)) == list(data.get("angles") or ())
    except TomoinrError:
        return False
