"""Records → Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

from trials.cells import CELLS
from trials.methods import CHECKPOINTS, DEFAULT
from trials.records import Record

Table = dict[str, dict[str, Record]]  # cell → method → record
SLACK = 0.005  # of SSIM, by which a method may miss the oracle's TV and still hold its own
LEGEND = """\
SSIM / PSNR in dB / FSC with the truth in the missing wedge / seconds. `sirt` and `tv` are oracles:
their iterations and their weight are the best for the truth, and their seconds leave the search
out. In cells with pose errors (`moved`: 2 px and 1.5°; `far`: 6 px, 4° and 3° of the axis) `sirt`,
`tv` and `paper` are given the true poses, unless marked `+recorded`; the others find them, unless
marked `+true`."""


def tabulate(records: Iterable[Record]) -> Table:
    """Good records by cell and method, in the order of the lists of both."""
    good = [r for r in records if not r.failed]
    cells = in_order((r.cell for r in good), [c.name for c in CELLS])
    methods = in_order((r.method for r in good), DEFAULT)
    by_key = {(r.cell, r.method): r for r in good}
    return {c: {m: by_key[c, m] for m in methods if (c, m) in by_key} for c in cells}


def in_order(names: Iterable[str], known: Sequence[str]) -> list[str]:
    """Each name once: the known ones as listed, then the rest as they come."""
    unique = list(dict.fromkeys(names))
    return [*(n for n in known if n in unique), *(n for n in unique if n not in known)]


def columns(table: Table) -> list[str]:
    """Every method that some cell has."""
    return in_order((m for row in table.values() for m in row), DEFAULT)


def markdown(records: Sequence[Record], title: str) -> str:
    """The whole report."""
    table = tabulate(records)
    failures = [f"{r.cell}, {r.method}: {r.failed}" for r in records if r.failed]
    parts = [
        f"# {title}",
        LEGEND,
        cells_table(table),
        "## Methods\n\nMeans over the cells that each method has; "
        "the peak is the highest, beyond the interpreter and the data.",
        methods_table(table),
        "## Beside the oracles\n\nOver the cells that both methods have.",
        lines(verdicts(table)) or "Needs `tv` and another method.",
        "## Poses\n\nrms errors after what moving the specimen explains; "
        "last, the SSIM lost to the same method with the true poses.",
        poses_table(table) or "No cell has pose errors.",
        "## Worth knowing",
        lines([*at_the_end(table), *failures]) or "Nothing failed, no oracle hit its limits.",
    ]
    return "\n\n".join(parts) + "\n"


def cells_table(table: Table) -> str:
    """A row a cell, a column a method."""
    methods = columns(table)
    rows = [[cell, *(figures(row.get(m)) for m in methods)] for cell, row in table.items()]
    return grid(["cell", *methods], rows)


def figures(record: Record | None) -> str:
    if record is None:
        return ""
    r = record
    return f"{r.ssim:.3f} / {r.psnr:.1f} / {r.wedge_fsc:.3f} / {r.seconds:.1f}"


def methods_table(table: Table) -> str:
    """A row a method."""
    head = ["method", "cells", "SSIM", "PSNR", "FSC measured", "FSC wedge", "seconds", "peak MiB"]
    rows = []
    for method in columns(table):
        have = [row[method] for row in table.values() if method in row]
        names = ("ssim", "psnr", "measured_fsc", "wedge_fsc", "seconds")
        means = [fmean(getattr(r, name) for r in have) for name in names]
        places = (3, 1, 3, 3, 1)
        shown = [f"{v:.{p}f}" for v, p in zip(means, places, strict=True)]
        rows.append([method, str(len(have)), *shown, f"{max(r.peak for r in have):.0f}"])
    return grid(head, rows)


def verdicts(table: Table) -> list[str]:
    """A sentence for every method that is no oracle."""
    found = []
    for method in columns(table):
        both = [row for row in table.values() if method in row and "tv" in row]
        if method.startswith(("tv", "sirt")) or not both:
            continue
        gains = [row[method].ssim - row["tv"].ssim for row in both]
        wedge = fmean(row[method].wedge_fsc - row["tv"].wedge_fsc for row in both)
        held = sum(gain >= -SLACK for gain in gains)
        line = (
            f"{method} ≥ oracle tv − {SLACK} in {held} of {len(both)} cells; "
            f"mean gain {fmean(gains):+.4f} SSIM, {wedge:+.4f} wedge FSC; worst {min(gains):+.4f}"
        )
        beside = [row for row in table.values() if method in row and "sirt" in row]
        above = sum(row[method].ssim > row["sirt"].ssim for row in beside)
        found.append(f"{line}; > oracle sirt in {above} of {len(beside)}")
    return found


def poses_table(table: Table) -> str:
    """A row for every method that had to find poses, in every cell where they are off."""
    rows = []
    for cell, row in table.items():
        for method, r in row.items():
            twin = row.get(f"{method}+true")
            if cell.endswith(("-moved", "-far")) and max(r.dx, r.dy, r.rotation) > 1e-3:
                lost = f"{twin.ssim - r.ssim:.4f}" if twin else ""
                errors = (f"{v:.3f}" for v in (r.dx, r.dy, r.rotation))
                rows.append([cell, method, *errors, lost])
    return grid(["cell", "method", "dx, px", "dy, px", "rotation, °", "SSIM lost"], rows)


def at_the_end(table: Table) -> list[str]:
    """Where an oracle's best may lie beyond what was tried."""
    ends = {f"{CHECKPOINTS[end]} iterations" for end in (0, -1)}
    chosen = [r for row in table.values() for r in row.values() if r.chosen in ends]
    return [f"{r.cell}, {r.method}: the best is the last tried, {r.chosen}" for r in chosen]


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, or nothing."""
    ruler = ["---"] * len(head)
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ruler, *rows)) if rows else ""


def lines(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)
