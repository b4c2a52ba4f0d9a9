"""What `--dry-run` predicts beside what a run takes: seconds and memory, and their ratios.

Seconds are the processor's, on one thread, so that other work on the machine counts little.

OMP_NUM_THREADS=1 python benchmarks/forecast.py --sizes 32 48 64
OMP_NUM_THREADS=1 python benchmarks/forecast.py --sizes 32 64 --solver sirt
"""

from __future__ import annotations

import argparse
import time

import torch

from tomoinr.api import reconstruct
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.cli import forecast as measure
from tomoinr.plugins import Plugins
from tomoinr.recipe import Recipe

MIB = 2.0**20


def main() -> None:
    args = arguments()
    torch.set_num_threads(1)
    table = {"solver": args.solver} if args.solver else {}
    recipe = Recipe.parse(table | {"run": {"quality": args.quality}}).resolve(Plugins())
    assert recipe.solver, "resolved"
    print(f"solver {recipe.solver.name}, quality {args.quality}, {args.tilts} tilts")
    print(f"{'size':>5}{'s told':>9}{'s taken':>9}{'ratio':>7}", end="")
    print(f"{'MiB told':>10}{'MiB held':>10}{'ratio':>7}{'s to tell':>11}")
    for size in args.sizes:
        tell(size, args.tilts, recipe)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--sizes", type=int, nargs="+", default=[32, 48, 64])
    add("--tilts", type=int, default=41)
    add("--solver", help="else the automatic one")
    add("--quality", default="fast")
    return parser.parse_args()


def tell(size: int, tilts: int, recipe: Recipe) -> None:
    angles = tuple(-60 + 120 * i / (tilts - 1) for i in range(tilts))
    acquisition = Acquisition(angles, dose=50, shift=1.0)
    series = simulate("nanoparticles", (size, size, size), acquisition, 0).series()
    told = measure.forecast(series, recipe, time.process_time)
    held = measure._reset()
    begun = time.process_time()
    assert recipe.solver, "resolved"
    reconstruct(series, quality=recipe.run.quality, solver=recipe.solver.table())
    taken, most = time.process_time() - begun, measure._status("VmHWM")
    print(f"{size:5}{told.seconds:9.1f}{taken:9.1f}{told.seconds / taken:7.2f}", end="")
    print(f"{told.memory / MIB:10.0f}{most / MIB:10.0f}{told.memory / most:7.2f}", end="")
    print(f"{told.spent:11.1f}   (held before: {held / MIB:.0f} MiB)", flush=True)


if __name__ == "__main__":
    main()
