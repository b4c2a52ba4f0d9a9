"""`tomoinr demo` and `tomoinr simulate`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tomoinr.api import reconstruct
from tomoinr.builtin.phantoms import PHANTOMS
from tomoinr.builtin.simulate import Acquisition, Simulated
from tomoinr.builtin.simulate import simulate as take
from tomoinr.cli.given import Json
from tomoinr.cli.plain import tell
from tomoinr.cli.progress import Progress
from tomoinr.cli.simulation import NAMES, write_simulation
from tomoinr.data import Reconstruction
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Poses
from tomoinr.io import check_folder, save
from tomoinr.io.angles import read_angles
from tomoinr.io.atomic import atomic, publish
from tomoinr.io.records import SUFFIX, record_beside, record_text
from tomoinr.metrics import Score, pose_errors, score
from tomoinr.plugins import Plugins
from tomoinr.teams import open_team

Size = Annotated[int, typer.Option(min=16, max=512, help="Voxels along each edge.")]
Dose = Annotated[
    float, typer.Option(min=0.01, help="Mean electrons (counts) per pixel; inf: no noise.")
]
Seed = Annotated[int, typer.Option(min=0, help="Of specimen, poses and noise.")]
Shift = Annotated[float, typer.Option(min=0, help="RMS shift of the images, pixels.")]
Force = Annotated[bool, typer.Option("--force", help="Replace earlier files.")]
METHODS = {"sirt": "sirt", "tomoinr": "tomoinr", "sirt_aligned": "sirt, aligned"}  # as shown


def simulate(
    out: Annotated[Path, typer.Option(help="Folder for stack.mrc, stack.rawtlt, truth.*.")],
    size: Size = 64,
    seed: Seed = 0,
    phantom: Annotated[str, typer.Option(help=f"One of {', '.join(PHANTOMS)}.")] = "nanoparticles",
    angles: Annotated[str, typer.Option(help="start:stop:step, degrees.")] = "-60:60:3",
    dose: Dose = 50.0,
    shift: Shift = 1.0,
    rotation: Annotated[float, typer.Option(min=0, help="RMS in-plane rotation, degrees.")] = 0.0,
    tilt_error: Annotated[float, typer.Option(min=0, help="RMS tilt error, degrees.")] = 0.0,
    background: Annotated[float, typer.Option(min=0, help="Fraction of the mean signal.")] = 0.0,
    gain_drift: Annotated[float, typer.Option(min=0, help="RMS relative gain drift.")] = 0.0,
    as_json: Json = False,
    force: Force = False,
) -> None:
    """Make a tilt series of a phantom: stack.mrc, stack.rawtlt, truth.mrc, truth.json.

    What was asked for goes beside them (stack.provenance.json), for `tomoinr rerun`.
    """
    given, record = dict(locals()), record_beside(out / NAMES[0])
    acquisition = Acquisition(
        read_angles(angles),
        dose=dose,
        shift=shift,
        rotation=rotation,
        tilt_error=tilt_error,
        background=background,
        gain_drift=gain_drift,
    )
    check_folder(out, (*NAMES, record.name), force)
    write_simulation(take(phantom, (size, size, size), acquisition, seed), out, force)
    _record(record, "simulate", given, NAMES)
    written = (*NAMES, record.name)
    if as_json:
        tell({"folder": str(out), "files": {name: str(out / name) for name in written}})
    else:
        typer.echo(f"wrote {', '.join(written)} in {out}")


def demo(
    out: Annotated[Path, typer.Option(help="Folder for volumes and the picture.")] = Path("demo"),
    size: Size = 64,
    dose: Dose = 50.0,
    seed: Seed = 0,
    shift: Shift = 1.0,
    json_: Annotated[Path | None, typer.Option("--json", help="Write the scores here.")] = None,
    force: Force = False,
) -> None:
    """Simulate nanoparticles, reconstruct them with SIRT and with tomoinr, and compare."""
    given, record = dict(locals()), out / f"demo{SUFFIX}"
    names = (*NAMES, *(f"{name}.mrc" for name in METHODS))
    check_folder(out, (*names, "comparison.png", record.name), force)
    if json_:
        _check_scores(json_, force)
    console = Console(soft_wrap=True)
    acquisition = Acquisition(read_angles("-60:60:3"), dose=dose, shift=shift)
    console.print(
        f"Simulating nanoparticles: {size}³ voxels, {len(acquisition.angles)} tilts within ±60°, "
        f"{dose:g} electrons a pixel, shifts of {shift:g} px rms."
    )
    taken = take("nanoparticles", (size, size, size), acquisition, seed)
    write_simulation(taken, out, force)
    results = _compared(taken, seed)
    scores = {name: score(result.voxels, taken.truth) for name, (result, _) in results.items()}
    for name, (result, _) in results.items():
        save(out / f"{name}.mrc", result, force)
    _picture(out / "comparison.png", taken, results, scores, force)
    _record(record, "demo", given, names)
    console.print(_table(results, scores))
    for line in _explained(taken, results["tomoinr"][0].poses):
        console.print(line)
    console.print(f"Volumes and comparison.png are in {out}.", highlight=False)
    if json_:
        _write_json(json_, results, scores)


def _record(record: Path, command: str, given: dict[str, Any], names: tuple[str, ...]) -> None:
    """What was asked for, beside what was made of it."""
    recipe = {"run": {"seed": given["seed"]}}
    given.pop("as_json", None)
    given.pop("json_", None)  # the scores hold times, which no repetition has in common
    text = record_text(record, command, given, names, recipe, Plugins())
    publish({record: text}, given["force"])


def _check_scores(path: Path, force: bool) -> None:
    """Refuse a name for the scores that cannot be written, before anything costs time."""
    check_folder(path.parent, (), force)
    if path.is_dir():
        raise TomoinrError(f"{path}: this is a folder; name a file for the scores")
    path.parent.mkdir(parents=True, exist_ok=True)


def _compared(taken: Simulated, seed: int) -> dict[str, tuple[Reconstruction, float]]:
    """SIRT on the images as they are; tomoinr; and SIRT with the poses that tomoinr found."""
    ours = _timed(taken, seed=seed)
    aligned = _timed(taken, solver="sirt", seed=seed, start=ours[0].poses)
    results = _timed(taken, solver="sirt", seed=seed), ours, aligned
    return dict(zip(METHODS, results, strict=True))


def _explained(taken: Simulated, found: Poses) -> Iterator[str]:
    """What to make of the table and the picture."""
    yield "SIRT takes the images as they are; tomoinr also aligns them, and so helps SIRT, aligned."
    if shift := taken.acquisition.shift:
        errors = pose_errors(found, taken.dx, taken.dy, taken.phi, taken.tilt)
        yield (
            f"Shifts of {shift:g} px rms were found to within {errors.dx:.2f} px in x, "
            f"{errors.dy:.2f} px in y."
        )
    yield "Beyond ±60° nothing was seen: flat films across the beam vanish in that missing wedge."


def _timed(taken: Simulated, **options: Any) -> tuple[Reconstruction, float]:
    begun = time.perf_counter()
    with Progress() as progress:
        result = reconstruct(
            taken.series(),
            team=open_team(),
            plugins=Plugins(),
            observers=[progress],
            **options,
        )
    return result, time.perf_counter() - begun


def _table(results: dict[str, tuple[Reconstruction, float]], scores: dict[str, Score]) -> Table:
    table = Table("method", "SSIM", "PSNR (dB)", "seconds", box=None, pad_edge=False)
    for name, (_, seconds) in results.items():
        ssim, psnr = scores[name]
        table.add_row(METHODS[name], f"{ssim:.3f}", f"{psnr:.1f}", f"{seconds:.1f}")
    return table


def _picture(
    path: Path,
    taken: Simulated,
    results: dict[str, tuple[Reconstruction, float]],
    scores: dict[str, Score],
    force: bool,
) -> None:
    from tomoinr.pictures import compare  # matplotlib takes a second to import: only when drawn

    volumes = {"truth": taken.truth} | {METHODS[n]: r.voxels for n, (r, _) in results.items()}
    captions = {METHODS[n]: f"SSIM {s.ssim:.3f}, {s.psnr:.1f} dB" for n, s in scores.items()}
    with atomic(path, force) as temporary:
        compare(volumes, temporary, captions)


def _write_json(
    path: Path, results: dict[str, tuple[Reconstruction, float]], scores: dict[str, Score]
) -> None:
    methods = {
        name: {"ssim": scores[name].ssim, "psnr": scores[name].psnr, "seconds": seconds}
        for name, (_, seconds) in results.items()
    }
    with atomic(path, force=True) as temporary:
        temporary.write_text(json.dumps({"methods": methods}, indent=1) + "\n", "utf-8")
