"""How good, how fast, how large: every method on tilt series whose truth is known.

Each method runs in each cell in a process of its own; a line of results.jsonl holds what came out.
Run again, it goes on where it stopped: only what failed or is not there is measured. Started by
mpiexec, srun or torchrun, every rank takes its share of the cells; --report then puts together what
all of them have found.

python benchmarks/quality.py --cells '*-30' --methods sirt tv siren:800 auto
mpiexec -n 8 python benchmarks/quality.py
python benchmarks/quality.py --report
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from trials.cells import CELLS, Cell, take
from trials.methods import DEFAULT, Method
from trials.plots import draw
from trials.records import Record, append, read
from trials.report import markdown, tabulate
from trials.trial import attempt

import tomoinr
from tomoinr.plugins import Plugins
from tomoinr.teams.launch import Launch, launched


def main(words: list[str] | None = None) -> None:
    args = arguments(words)
    os.environ["OMP_NUM_THREADS"] = str(args.threads)  # for the processes to come
    launch = launched(os.environ)
    if not args.report:
        run(args, launch)
    if args.report or launch.size == 1:
        write(args)


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--cells", nargs="+", default=["*"], help="names, or patterns of the usual ones' names")
    add("--methods", nargs="+", default=DEFAULT, help="name[:steps or quality][+true or +recorded]")
    add("--size", type=int, default=64, help="voxels along each edge")
    add("--seed", type=int, default=0, help="of specimens, noise and methods")
    add("--out", type=Path, default=Path("quality"), help="folder of data, results and report")
    add("--threads", type=int, default=1)
    add("--version", default=tomoinr.__version__, help="of the code; another measures all anew")
    add("--report", action="store_true", help="measure nothing, only write the report")
    return parser.parse_args(words)


def run(args: argparse.Namespace, launch: Launch) -> None:
    """Measure what is not measured yet, cell by cell; a rank writes into a file of its own."""
    own = f"-{launch.rank}" if launch.size > 1 else ""
    results = args.out / f"results{own}.jsonl"
    done = {key for key, record in read(args.out).items() if not record.failed}
    methods = list(installed(args.methods))
    for cell in wanted(args.cells)[launch.rank :: launch.size]:
        for method in methods:
            blank = Record(cell.name, method.text, args.size, args.seed, args.version)
            if blank.key in done or not method.suits(cell):
                continue
            data = take(cell, args.size, args.seed, args.out / "data")
            record = attempt(blank, data, args.threads)
            append(results, record)
            print(told(record), flush=True)


def wanted(patterns: list[str]) -> list[Cell]:
    """The usual cells that fit a pattern; a plain name may be any other."""
    found = []
    for pattern in patterns:
        usual = [cell for cell in CELLS if fnmatchcase(cell.name, pattern)]
        found += usual or [Cell.parse(pattern)]
    return list(dict.fromkeys(found))


def installed(names: list[str]) -> Iterator[Method]:
    """The methods at hand; the others are named."""
    plugins = Plugins()
    for method in map(Method.parse, names):
        if lacking := method.missing(plugins):
            print(f"skipped {method.text}: {lacking}")
        else:
            yield method


def told(record: Record) -> str:
    where = f"{record.cell:28} {record.method:14}"
    if record.failed:
        return f"{where} failed: {record.failed}"
    return (
        f"{where} SSIM {record.ssim:.4f}  PSNR {record.psnr:.2f}  wedge FSC {record.wedge_fsc:.3f}"
        f"  {record.seconds:.1f} s  {record.peak:.0f} MiB  {record.chosen}"
    )


def write(args: argparse.Namespace) -> None:
    """quality.md, ssim.png and time.png, of all records of this size, seed and version."""
    here = (args.size, args.seed, args.version)
    records = [r for key, r in read(args.out).items() if key[2:] == here]
    if not any(not r.failed for r in records):
        sys.exit(f"{args.out}: nothing to report for size, seed, version {here}")
    title = f"Quality: {args.size}³ voxels, seed {args.seed}, version {args.version}"
    report = args.out / "quality.md"
    report.write_text(markdown(records, title))
    draw(tabulate(records), args.out)
    print(f"wrote {report}, ssim.png and time.png beside it")


if __name__ == "__main__":
    try:
        main()
    except tomoinr.TomoinrError as error:
        sys.exit(str(error))
