"""`tomoinr rerun`: a result, or what another command wrote, once more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from tomoinr.api import execute
from tomoinr.cli import align, convert, demo, prepare
from tomoinr.cli.given import Force
from tomoinr.cli.progress import Progress
from tomoinr.errors import TomoinrError
from tomoinr.io import open_stack
from tomoinr.io.inspect import RECIPE, VOLUME, volumes_in
from tomoinr.io.provenance import changed_inputs, changed_versions, provenance, read_provenance
from tomoinr.io.records import Record, find_record
from tomoinr.plugins import Plugins
from tomoinr.recipe import PARTS, Recipe
from tomoinr.teams import open_team

COMMANDS: dict[str, Callable[..., None]] = {
    "align": align.align,
    "apply-poses": align.apply_poses,
    "prepare": prepare.prepare,
    "simulate": demo.simulate,
    "demo": demo.demo,
    "convert": convert.convert,
}
TEXTS = (".json", ".rawtlt", ".tlt", ".xf", ".xtilt", ".aln")  # the same only if every byte is


def rerun(
    output: Annotated[Path, typer.Argument(help="A result's folder, or a file that was written.")],
    out: Annotated[Path | None, typer.Option(help="Where it goes; else OUTPUT-again.")] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Even where an input or the recipe has changed.")
    ] = False,
    force: Force = False,
) -> None:
    """Repeat a result, or what another command wrote; say what has changed since.

    At the end it says whether the new files are the same.
    """
    record = find_record(output)
    if record and not (output.is_dir() and (output / RECIPE).is_file()):
        _command_again(record, out, anyway, force)
    else:
        _result_again(_folder(output), out, anyway, force)


def _command_again(record: Record, out: Path | None, anyway: bool, force: bool) -> None:
    if record.command not in COMMANDS:
        raise TomoinrError(f"{record.path}: this tomoinr knows no command '{record.command}'")
    before = Path(record.given["out"])
    to_folder = before.absolute() == record.path.parent.absolute()
    before = before.absolute()
    again = out or before.with_name(f"{before.stem}-again{before.suffix}")
    team = open_team()
    with Progress(team.rank == 0) as progress:
        for line in _changed(record.provenance, record.path.parent, record.recipe, anyway):
            progress.tell(line)
    COMMANDS[record.command](**record.given | {"out": again, "force": force})
    with Progress(team.rank == 0) as progress:
        for name in record.outputs:
            new = again / name if to_folder else _renamed(name, before, again)
            told = team.first(partial(_compared, record.path.parent / name, new))
            progress.tell(f"{new}: {told}")


def _renamed(name: str, before: Path, again: Path) -> Path:
    """A file that was written together with another, whose name is a new one."""
    return again.with_name(name.replace(before.stem, again.stem, 1))


def _result_again(folder: Path, out: Path | None, anyway: bool, force: bool) -> None:
    again = out or folder.with_name(f"{folder.name}-again")
    recipe, team = Recipe.load(folder / RECIPE, again), open_team()
    with Progress(team.rank == 0) as progress:
        for line in _changes(folder, recipe, anyway):
            progress.tell(line)
        execute(recipe, force=force, team=team, tell=progress.tell, observers=[progress])
        for volume in volumes_in(folder):
            told = team.first(partial(_compared, volume, again / volume.name))
            progress.tell(f"{again if volume.name == VOLUME else again / volume.name}: {told}")


def _folder(output: Path) -> Path:
    """The folder that a result, or a file of one, lies in."""
    if output.suffix == ".toml" and output.name != RECIPE:
        raise TomoinrError(f"{output}: to carry out another recipe: tomoinr run {output}")
    folder = (output if output.is_dir() else output.parent).absolute()
    if not output.exists() or not (folder / RECIPE).is_file():
        raise TomoinrError(
            f"{output}: no result to repeat: there is no {RECIPE} in {folder}, and no record of a "
            "command (.provenance.json) beside it"
        )
    return folder


def _changes(folder: Path, recipe: Recipe, anyway: bool) -> Iterator[str]:
    """What is not as it was; an input or recipe that has changed is refused unless told."""
    for name in PARTS:
        if getattr(recipe, name) is None:
            raise TomoinrError(
                f"{folder / RECIPE}: it names no {name}, so the result was made with an object of "
                "Python: repeat it with the script that made it"
            )
    then = read_provenance(folder)
    if then is None:
        yield f"{folder}: holds no provenance.json, so it is unknown what has changed since"
        return
    yield from _changed(then, folder, recipe.table(), anyway)


def _changed(
    then: dict[str, Any], folder: Path, recipe: dict[str, Any], anyway: bool
) -> Iterator[str]:
    """A line for each thing that is not as it was; a changed input is refused unless told."""
    yield from (f"noted then: {note}" for note in then.get("notes", ()))
    changed = list(changed_inputs(then, folder))
    if changed and not anyway:
        raise TomoinrError(f"{'; '.join(changed)}: repeat it with what there is now: --anyway")
    yield from changed
    yield from changed_versions(then, provenance(recipe | {"data": {}}, (), Plugins()))


def _compared(before: Path, after: Path) -> str:
    """Whether two files are the same: text by text, arrays slice by slice."""
    if not before.exists():
        return f"not compared: there is no {before}"
    if before.suffix in TEXTS:
        return "the same" if before.read_bytes() == after.read_bytes() else "other than before"
    what = "volume" if before.stem.startswith("volume") else "array"
    old, new = open_stack(before), open_stack(after)
    if old.shape != new.shape:
        return f"another {what}: {new.shape} voxels, {old.shape} before"
    power = difference = 0.0
    same = old.dtype == new.dtype
    for i in range(old.shape[0]):
        one, other = np.asarray(old.image(i)), np.asarray(new.image(i))
        same = same and one.tobytes() == other.tobytes()
        power += float(np.square(one, dtype=np.float64).sum())
        difference += float(np.square(np.subtract(other, one, dtype=np.float64)).sum())
    if same:
        return f"the {what} is bit-identical"
    return f"the {what} differs by {np.sqrt(difference / max(power, 1e-300)):.2g} of its rms"
