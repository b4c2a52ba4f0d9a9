"""How much faster are more ranks, what do they say to each other, and what would many GPUs do?

Strong: one problem, shared by more ranks. Weak: as many times more rows as there are ranks.
Every rank has one thread. A step's time is the median; what a rank spends in sums and other talk,
waiting for slower ranks included, is measured apart. Memory is each rank's own after the last step,
beyond what it held when everything was imported and a tiny problem solved (proportional set size:
shared pages count in part).

    python benchmarks/scaling.py --size 64 --ranks 1 2
    python benchmarks/scaling.py --fit
    python benchmarks/scaling.py --model

The model (scaling_model.py): a step is work + talk; talk is all-reduces and halos. `--fit` measures
small problems on this machine, finds the model's constants for it, and prints what the model then
says beside what was measured. `--model` puts the constants of a cluster of GPUs in their place.
Those are assumptions, stated in its output; nobody has measured them with this program.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from scaling_model import fitted, predictions
from torch import Tensor

from tomoinr import TiltSeries
from tomoinr.builtin.fixed import Fixed
from tomoinr.builtin.slices import Slices
from tomoinr.builtin.voxels import Voxels
from tomoinr.geometry import Grid, Poses
from tomoinr.interfaces import Problem
from tomoinr.options import NoOptions
from tomoinr.plugins import Plugins
from tomoinr.team import Team
from tomoinr.teams import close, open_team

MIB = 2**20
TINY = 16  # voxels along each edge of what is solved first
METHODS: dict[str, tuple[str, str, dict[str, Any]]] = {  # solver, volume, the volume's options
    "sirt": ("sirt", "voxels", {}),
    "tv": ("tv", "voxels", {}),
    "joint": ("joint", "siren", {"width": 64, "depth": 3}),
}


def main() -> None:
    args = arguments()
    if args.rank_of:
        work_as_rank(args)
    elif args.model:
        print("\n".join(predictions()))
    elif args.fit:
        print("\n".join(fitted(args.methods, lambda *case: measured(args, *case))))
    else:
        measure(args)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--size", type=int, default=64, help="voxels along each edge")
    add("--tilts", type=int, default=41)
    add("--steps", type=int, default=20)
    add("--ranks", type=int, nargs="+", default=[1, 2])
    add("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    add("--mpiexec", default=str(Path(sys.executable).with_name("mpiexec")))
    add("--model", action="store_true", help="only print what the model says of many GPUs")
    add("--fit", action="store_true", help="find the model's constants for this machine")
    add("--rank-of", choices=METHODS, help=argparse.SUPPRESS)
    add("--rows", type=int, help=argparse.SUPPRESS)
    add("--out", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(args: argparse.Namespace) -> None:
    print(f"{args.size}³ voxels, {args.tilts} images, {args.steps} steps, one thread a rank")
    print(f"{'':8}{'scaling':>8}{'ranks':>6}{'ms/step':>9}{'faster':>8}{'talk':>7}{'MiB':>7}")
    for name in args.methods:
        alone = launched(name, 1, args.size, args)
        for ranks in args.ranks:
            for scaling in ("strong", "weak") if ranks > 1 else ("strong",):
                rows = args.size * (ranks if scaling == "weak" else 1)
                found = alone if ranks == 1 else launched(name, ranks, rows, args)
                faster = alone["seconds"] / found["seconds"] * (rows / args.size)
                print(
                    f"{name:8}{scaling:>8}{ranks:6}{1e3 * found['seconds']:9.1f}{faster:8.2f}"
                    f"{found['talk'] / found['seconds']:7.1%}{found['memory'] / MIB:7.0f}",
                    flush=True,
                )


def measured(args: argparse.Namespace, name: str, size: int, ranks: int) -> tuple[float, float]:
    """Seconds of a step, and what of it is talk."""
    args.size = size
    found = launched(name, ranks, size, args)
    return found["seconds"], found["talk"]


def launched(name: str, ranks: int, rows: int, args: argparse.Namespace) -> dict[str, float]:
    """What rank 0 has measured."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "found.json"
        own = ["--rank-of", name, "--rows", str(rows), "--out", str(out)]
        given = ["--size", args.size, "--tilts", args.tilts, "--steps", args.steps]
        command = [args.mpiexec, "-n", str(ranks), sys.executable, __file__, *own]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        subprocess.run([*command, *map(str, given)], check=True, env=environment)
        found: dict[str, float] = json.loads(out.read_text())
        return found


class Timed(Team):
    """A team that counts the seconds of its talk."""

    def __init__(self, team: Team) -> None:
        self._team, self.seconds = team, 0.0
        self.rank, self.size, self.device = team.rank, team.size, team.device

    def sum_(self, tensors: Any) -> None:
        self._count(lambda: self._team.sum_(tensors))

    def copy_(self, tensors: Any) -> None:
        self._count(lambda: self._team.copy_(tensors))

    def gather(self, part: Tensor) -> Tensor:
        return self._count(lambda: self._team.gather(part))

    def swap(self, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        return self._count(lambda: self._team.swap(before, after))

    def once_a_node(self, work: Any) -> Any:
        return self._team.once_a_node(work)

    def _count(self, talk: Any) -> Any:
        begun = time.perf_counter()
        found = talk()
        self.seconds += time.perf_counter() - begun
        return found


def work_as_rank(args: argparse.Namespace) -> None:
    team, plugins = Timed(open_team()), Plugins()
    begun_on(args, TINY, TINY, plugins, team)
    before = memory()
    problem, solver, state = begun_on(args, args.size, args.rows, plugins, team)
    times, talks = [], []
    for _ in range(args.steps):
        begun, talked = time.perf_counter(), team.seconds
        solver.step(problem, state, team)
        times.append(time.perf_counter() - begun)
        talks.append(team.seconds - talked)
    most = torch.tensor([memory() - before])
    mine = team.gather(most)
    if team.rank == 0:
        found = {"seconds": median(times), "talk": median(talks), "memory": float(mine.max())}
        args.out.write_text(json.dumps(found))
    close()


def begun_on(
    args: argparse.Namespace, size: int, rows: int, plugins: Plugins, team: Team
) -> tuple[Problem, Any, Any]:
    """Problem, solver and state after a first step, which makes what the others use."""
    problem, solver = made(args, size, rows, plugins, team)
    modules = problem.modules()
    team.copy_([*modules.parameters(), *modules.buffers()])
    state = solver.init(problem, team)
    solver.step(problem, state, team)
    return problem, solver, state


def made(
    args: argparse.Namespace, size: int, rows: int, plugins: Plugins, team: Team
) -> tuple[Problem, Any]:
    """A problem of random images: what is in them costs nothing. A node has them once."""
    solver, volume, options = METHODS[args.rank_of]
    grid = Grid((rows, size, size))
    angles = torch.linspace(-60, 60, args.tilts)
    torch.manual_seed(0)
    shape = args.tilts, rows, size
    series = team.once_a_node(lambda: TiltSeries(torch.rand(shape), angles))
    poses = Fixed(NoOptions(), Poses.of(angles), grid)
    cls = plugins.find("volume", volume).cls if volume != "voxels" else Voxels
    specimen = cls(cls.Options(**options), grid, 1)
    projector = Slices(Slices.Options(), grid)
    problem = Problem(series, grid, specimen, poses, projector)
    part = plugins.find("solver", solver).cls
    chosen: dict[str, Any] = {"steps": args.steps + 2}  # the last puts the volume together
    if solver == "joint":  # eight rows of every image, more where there are more rows
        chosen["batch"] = 8 * args.tilts * rows
    return problem, part(replace(part.Options(), **chosen))


def memory() -> float:
    """Bytes of this process, shared pages in proportion."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return 1024 * float(next(line.split()[1] for line in lines if line.startswith("Pss:")))


if __name__ == "__main__":
    main()
