"""`tomoinr compare`: volumes and results against a truth, or against one another."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tomoinr.cli.drawn import check_picture
from tomoinr.cli.given import Json
from tomoinr.cli.plain import tell
from tomoinr.cli.scores import LEVELS, Compared, Volume, check_alike, read, tilts_of
from tomoinr.cli.scores import compare as score_one
from tomoinr.errors import TomoinrError
from tomoinr.io.atomic import atomic
from tomoinr.plugins import Plugins


def compare(
    volumes: Annotated[
        list[Path], typer.Argument(metavar="A B…", help="Volumes, or folders of results.")
    ],
    truth: Annotated[
        Path | None, typer.Option(help="What they are scored against; else the first, A.")
    ] = None,
    angles: Annotated[
        str | None,
        typer.Option(
            help='Tilts that measured: a file, or "-60:60:3"; else those of a result among them.'
        ),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw them side by side: a .png or .pdf.")
    ] = None,
    as_json: Json = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier picture.")] = False,
) -> None:
    """Score volumes against a truth, or against the first of them.

    tomoinr compare result-tv result-siren --truth truth.mrc
    tomoinr compare result-a result-b --picture both.png

    SSIM (1: equal) and PSNR (dB) are taken after the best gain and offset.
    FSC is the correlation by frequency, averaged, apart where tilts
    measured and in the missing wedge (where the tilts are known); beside
    it the resolutions at which the measured curve falls below 0.5 and
    0.143. Poses of results are compared after removing what moving the
    volume explains.
    """
    if truth is None and len(volumes) < 2:
        raise TomoinrError("one volume cannot be compared; name two, or a --truth")
    if picture:
        check_picture(picture, force)
    plugins = Plugins()
    reference, *others = [read(path, plugins) for path in ([truth] if truth else []) + volumes]
    for volume in others:
        check_alike(volume, reference)
    tilts = tilts_of(angles, [*others, reference])
    found = [score_one(volume, reference, tilts) for volume in others]
    if picture:
        _draw(picture, reference, found, truth is not None, force)
    if as_json:
        told: dict[str, Any] = {"reference": reference.name, "tilts": None}
        told |= {} if tilts is None else {"tilts": tilts.tolist()}
        told |= {"unit": "Å" if reference.spacing else "voxels"}
        tell(told | {"volumes": [one.table() for one in found]})
        return
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"against {reference.name}", markup=False)
    console.print(_scores(found, tilts is not None))
    if any(one.poses for one in found):
        console.print("\nposes, rms, less what moving the volume explains")
        console.print(_poses(found))
    if tilts is None:
        console.print("no tilts are known, so nothing is said of the wedge (--angles)")
    if picture:
        console.print(f"wrote {picture}", markup=False)


def _scores(found: list[Compared], wedge: bool) -> Table:
    """A row for each volume."""
    unit = "Å" if found[0].volume.spacing else "voxels"
    names = ["SSIM", "PSNR", *(["FSC", "FSC wedge"] if wedge else ["FSC"])]
    table = _titled([*names, *(f"FSC {level:g} at" for level in LEVELS)])
    for one in found:
        cells = [f"{one.score.ssim:.4f}", f"{one.score.psnr:.2f} dB"]
        cells += [_number(mean, 3) for mean in one.curves.means()[: 1 + wedge]]
        cells += [_number(one.resolution(level), 2, f" {unit}") for level in LEVELS]
        table.add_row(one.volume.name, *cells)
    return table


def _poses(found: list[Compared]) -> Table:
    """How far images stand from where the reference has them, rms."""
    table = _titled(["dx", "dy", "rotation", "tilt"])
    for one in found:
        if one.poses:
            units = (" px", " px", "°", "°")
            cells = [_number(gap, 3, u) for gap, u in zip(one.poses, units, strict=True)]
            table.add_row(one.volume.name, *cells)
    return table


def _titled(names: list[str]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("", overflow="fold")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _number(value: float, digits: int, unit: str = "") -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}{unit}"


def _draw(
    path: Path, reference: Volume, found: list[Compared], is_truth: bool, force: bool
) -> None:
    from tomoinr.pictures import compare as draw  # matplotlib: only when drawn

    volumes = {"truth" if is_truth else reference.name: reference.voxels}
    volumes |= {one.volume.name: one.volume.voxels for one in found}
    captions = {
        one.volume.name: f"SSIM {one.score.ssim:.3f}, {one.score.psnr:.1f} dB" for one in found
    }
    with atomic(path, force) as temporary:
        draw(volumes, temporary, captions)
