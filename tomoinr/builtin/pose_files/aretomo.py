"""AreTomo's `.aln`: a line `SEC ROT GMAG TX TY SMEAN SFIT SCALE BASE TILT` for each image in use.

ROT is where the tilt axis runs, in degrees counter-clockwise from y; TX and TY are where the
specimen's centre lands, in pixels from the raw image's centre; SEC counts the stack's images from
1 (older files: from 0). Images that are left out are listed as `# DarkFrame`, with their place in
the order of tilts, their number and their tilt. TILT includes AlphaOffset; BetaOffset, which
AreTomo uses for defocus, is no part of the poses, and neither are local alignments.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from tomoinr.builtin.pose_files.images import check_axis, filed, lines, lines_of, numbers
from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Poses

SUFFIX = ".aln"
MOST = 100_000  # images
FLAT = 1e-3  # degrees out of the plane that count as none
TITLE = "# AreTomo Alignment / Priims bprmMn"  # by which AreTomo knows its files
COLUMNS = (
    "# SEC     ROT         GMAG       TX          TY      SMEAN     SFIT    SCALE     BASE     TILT"
)
LOCAL = "# Local Alignment"


def read(path: Path, series: TiltSeries) -> Poses:
    """The global alignment; not finite for images that the file leaves out."""
    rows, dark, count = _content(path)
    sections = [int(row[0]) for row in rows]
    listed = [*sections, *dark]
    base = 0 if 0 in listed else 1
    count = count or max(listed) + 1 - base
    if len(set(listed)) != len(listed) or min(listed) < base or max(listed) >= base + count:
        raise TomoinrError(f"{path}: its section numbers are not those of {count} images")
    if count > MOST:
        raise TomoinrError(f"{path}: {count} images are more than a tilt series has")
    table = torch.full((count, 4), torch.nan, dtype=torch.float64)
    for row, section in zip(rows, sections, strict=True):
        table[section - base] = torch.tensor((row[1], row[3], row[4], row[9]))
    table = table[lines_of(path, count, series)]
    check_axis(path, table[:, 0], series)
    return Poses.of(table[:, 3], table[:, 0], shift=table[:, 1:3] * series.pixel_size)


def text(path: Path, poses: Poses, series: TiltSeries) -> str:
    """The file: images in the order of their tilts, those without a pose as dark frames."""
    every = filed(poses, series)
    angles = every.poses.angles()
    steepest = float(angles.out_of_plane.abs().max())
    if steepest > FLAT:
        raise TomoinrError(
            f"{path}: the tilt axis leaves the image by up to {steepest:.3f}°, which .aln cannot "
            "hold; write .xf or .json"
        )
    order = angles.tilt.argsort(stable=True).tolist()
    dark = [
        f"# DarkFrame =  {place:4d} {i + 1:4d} {float(angles.tilt[i]):8.2f}"
        for place, i in enumerate(order)
        if not every.found[i]
    ]
    _, rows, columns = series.shape
    header = [TITLE, f"# RawSize = {columns} {rows} {len(order)}", "# NumPatches = 0", *dark]
    header += ["# AlphaOffset =     0.00", "# BetaOffset =     0.00", COLUMNS]
    shown = (i for i in order if every.found[i])
    body = (_line(i + 1, angles.rotation[i], every.shift[i], angles.tilt[i]) for i in shown)
    return "".join(f"{line}\n" for line in (*header, *body))


def _line(section: int, turn: Tensor, shift: Tensor, tilt: Tensor) -> str:
    """With more decimals than AreTomo writes itself."""
    (dx, dy), quality = shift.tolist(), "   1.00     1.00     1.00     0.00"
    return (
        f"{section:5d}  {float(turn):12.7f}  {1:9.5f}  {dx:12.7f}  {dy:12.7f}  {quality}  "
        f"{float(tilt):12.7f}"
    )


def _content(path: Path) -> tuple[list[list[float]], list[int], int]:
    """Lines of the global alignment, numbers of dark frames, images in all (0: not said)."""
    rows: list[list[float]] = []
    dark: list[int] = []
    count = 0
    for n, line in enumerate(lines(path), 1):
        name, _, value = (part.strip() for part in line.lstrip("# ").partition("="))
        if line == LOCAL:
            break
        if not line.startswith("#"):
            rows += [numbers(path, n, line, 10)] if line else []
        elif name == "DarkFrame":
            dark.append(int(numbers(path, n, value, 3)[1]))
        elif name == "RawSize":
            count = int(numbers(path, n, value, 3)[2])
    if not rows:
        raise TomoinrError(f"{path}: no poses can be read from it: it lists no images")
    return rows, dark, count
