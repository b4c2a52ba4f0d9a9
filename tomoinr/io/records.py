"""What a command's output was made from: a record beside it, from which `rerun` makes it again."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tomoinr.errors import TomoinrError
from tomoinr.io.provenance import counted_from, provenance, read_provenance
from tomoinr.plugins import Plugins

SUFFIX = ".provenance.json"


class Record(NamedTuple):
    """A command with all it was given (`out` among it), what it wrote, and from what."""

    path: Path
    command: str
    given: dict[str, Any]
    outputs: tuple[str, ...]
    recipe: dict[str, Any]
    provenance: dict[str, Any]


def record_beside(out: Path) -> Path:
    """The record of a file."""
    return out.with_name(f"{out.stem}{SUFFIX}")


def record_text(
    path: Path,
    command: str,
    given: Mapping[str, Any],
    outputs: Iterable[str],
    recipe: Mapping[str, Any],
    plugins: Plugins,
) -> str:
    """A record as JSON, its paths counted from its own folder.

    `recipe`: a table of what was chosen and read, its paths whole; inputs, versions and seed
    follow from it.
    """
    made, counted = provenance(recipe, (), plugins), partial(counted_from, path.parent)
    for known in made["inputs"].values():
        known["path"] = counted(known["path"])
    data = dict(recipe.get("data", {}))
    data |= {name: counted(data[name]) for name in ("stack", "poses") if name in data}
    recipe = {**recipe, "data": data} if data else recipe
    paths = {k: counted(v) for k, v in given.items() if isinstance(v, Path)}
    options = {k: _plain(v) for k, v in given.items() if not isinstance(v, Path)}
    table = {"command": command, "paths": paths, "options": options, "outputs": [*outputs]}
    return json.dumps(table | {"recipe": recipe} | made, indent=1) + "\n"


def find_record(output: Path) -> Record | None:
    """The record of a file, or the only one in a folder."""
    if output.is_dir():
        found = sorted(output.glob(f"*{SUFFIX}"))
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise TomoinrError(f"{output}: holds several outputs; name one of those of {names}")
    else:
        found = [path for path in (output, record_beside(output)) if path.name.endswith(SUFFIX)]
        found += sorted(output.parent.glob(f"*{SUFFIX}"))
    records = (_read(path) for path in found if path.is_file())
    wanted = (r for r in records if output.is_dir() or output.name in (r.path.name, *r.outputs))
    return next(wanted, None)


def _read(path: Path) -> Record:
    found = read_provenance(path.parent, path.name) or {}
    try:
        paths = {name: path.parent / str(there) for name, there in found["paths"].items()}
        given = {**found["options"], **paths}
        outputs = tuple(map(str, found["outputs"]))
        return Record(path, str(found["command"]), given, outputs, dict(found["recipe"]), found)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise TomoinrError(f"{path}: this is no record of a command of tomoinr") from None


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) else value
