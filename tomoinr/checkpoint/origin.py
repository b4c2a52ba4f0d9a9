"""What a run is made from, and what of that is another when it is to go on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Poses
from tomoinr.io.provenance import changed_versions, provenance
from tomoinr.plugins import Plugins
from tomoinr.recipe import Recipe

Origin = dict[str, Any]
LONGEST = 60  # characters of a value that are shown
FILES = ("data.stack", "data.angles", "data.poses")  # known by their checksums, wherever they are


def origin(recipe: Recipe, series: TiltSeries, start: Poses | None, plugins: Plugins) -> Origin:
    """Recipe, versions, machine, and checksums of files; where there are none, of the images."""
    table = recipe.table()
    made = provenance(table, (), plugins)
    if "stack" not in made["inputs"]:
        made["inputs"]["images"] = _content(series.images, series.angles)
        if start is not None:
            made["inputs"]["start"] = _content(start.rotation, start.shift)
    del table["output"], made["notes"]
    # Objects of Python among a part's options are told apart by their words.
    plain: Origin = json.loads(json.dumps(made | {"recipe": table}, default=repr))
    return plain


def check(then: Origin, now: Origin, where: str) -> None:
    """Refuse to go on with another recipe or other data."""
    lines = list(differences(then, now))
    if lines:
        listed = ";\n".join(lines)
        raise TomoinrError(
            f"{where}: cannot go on from it, since what it was made from has changed:\n{listed};\n"
            "change it back, or start from the beginning with --force and without --resume"
        )


def differences(then: Origin, now: Origin) -> Iterator[str]:
    """A line for each value of the recipe, and for each input, that is another."""
    old, new = _flat(then.get("recipe", {})), _flat(now.get("recipe", {}))
    inputs, found = then.get("inputs", {}), now.get("inputs", {})
    for key in dict.fromkeys((*old, *new)):
        one, other = old.get(key), new.get(key)
        is_file = key in FILES and key.split(".")[1] in inputs.keys() & found.keys()
        if one != other and not is_file:
            yield _changed(key, one, other)
    for name in dict.fromkeys((*inputs, *found)):
        was, known = inputs.get(name), found.get(name)
        if was and known and was["sha256"] != known["sha256"]:
            yield f"{name}: {known['path']} has changed (its sha256 is another)"
        elif not (was and known) and f"data.{name}" not in old | new:
            yield _changed(name, was and was["path"], known and known["path"])


def other_versions(then: Origin, now: Origin) -> Iterator[str]:
    """A line for each version, and each thing about the machine, that is another now."""
    if then and now:
        yield from changed_versions(then, now)


def _content(*tensors: Tensor) -> dict[str, str]:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(str(tuple(tensor.shape)).encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().data)
    return {"path": "what was given in memory", "sha256": digest.hexdigest()}


def _flat(table: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """`{"solver": {"steps": 3}}` as `{"solver.steps": 3}`; parts of a list by their numbers."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        name = f"{before}{key}"
        if isinstance(value, list) and value and all(isinstance(v, Mapping) for v in value):
            value = {str(number): part for number, part in enumerate(value)}
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{name}.")
        else:
            flat[name] = value
    return flat


def _changed(key: str, one: Any, other: Any) -> str:
    """Of long lists, the first value that differs."""
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        apart = [i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
        more = f", and {len(apart) - 1} more" if len(apart) > 1 else ""
        return f"{key}: number {apart[0]}: {one[apart[0]]} → {other[apart[0]]}{more}"
    return f"{key}: {_shown(one)} → {_shown(other)}"


def _shown(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
