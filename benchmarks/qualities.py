"""What `--quality fast|default|best` costs beside ASTRA's SIRT, and what it gives.

The same tilt series, in one process: ASTRA slice by slice on the CPU with its `linear` projector,
and the automatic solver, which has to find out everything by itself. Seconds are the processor's,
on one thread, so that other work on the machine counts little.

OMP_NUM_THREADS=1 python benchmarks/qualities.py
OMP_NUM_THREADS=1 python benchmarks/qualities.py --size 48 --cell nanoparticles-60-3-inf
OMP_NUM_THREADS=1 python benchmarks/qualities.py --qualities default --options finer=1,together=16
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import astra
import numpy as np
import torch
from sirt import astra_sirt
from trials.cells import Case, Cell, load, take

import tomoinr
from tomoinr.metrics import score

LIMITS = {"fast": 1.5, "default": 5.0}  # times ASTRA's seconds


def main() -> None:
    args = arguments()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        case = load(take(Cell.parse(args.cell), args.size, 0, Path(folder)))
    print(f"{args.cell}, {args.size}³; tomoinr {tomoinr.__version__}, ASTRA {astra.__version__}")
    print(f"{'':20}{'SSIM':>8}{'dB':>7}{'s':>8}{'ratio':>8}")
    unit = tell("ASTRA SIRT", case, lambda: astra_sirt(case.series, args.steps), None)
    for quality in args.qualities:
        tell(quality, case, lambda quality=quality: automatic(case, quality=quality), unit)
    for option in args.options:
        solver: dict[str, Any] = {"name": "auto"}
        for part in option.split(","):
            name, number = part.split("=")
            solver[name] = int(number)
        tell(option, case, lambda solver=solver: automatic(case, solver=solver), unit)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--cell", default="nanoparticles-60-3-30-moved", help="as in quality.py")
    add("--size", type=int, default=64)
    add("--steps", type=int, default=200, help="iterations of ASTRA's")
    add("--qualities", nargs="*", default=["fast", "default", "best"])
    add(
        "--options",
        nargs="*",
        default=[],
        help="of the default quality, a run each: finer=1,together=16 …",
    )
    return parser.parse_args()


def automatic(case: Case, **options: Any) -> np.ndarray:
    return tomoinr.reconstruct(case.series, **options).voxels


def tell(name: str, case: Case, solve: Callable[[], np.ndarray], unit: float | None) -> float:
    """Time and score one method; its seconds."""
    begun = time.process_time()
    voxels = solve()
    seconds = time.process_time() - begun
    found = score(voxels, case.truth)
    ratio = f"{seconds / unit:8.2f}" if unit else ""
    limit = f"  (at most {LIMITS[name]:g})" if name in LIMITS else ""
    print(f"{name:20}{found.ssim:8.4f}{found.psnr:7.1f}{seconds:8.1f}{ratio}{limit}", flush=True)
    return seconds


if __name__ == "__main__":
    main()
