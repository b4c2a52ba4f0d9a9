"""How fast on a GPU: every volume, the projector and a recipe's stages, beside the ceilings.

The ceilings are the device's own, measured first: products of matrices in bfloat16 and in single
precision, and copies within its memory. Networks are held against the product in the precision of
their hidden layers, the rest against the copy, as if every number were moved once.

A recipe is `auto`, or a volume that the solver `joint` learns. Its first run pays for what is
compiled and loaded; the last is what further series cost. The aim: 256³ voxels from 61 images in
less than 20 s on an H200, no worse than on a CPU.

python benchmarks/gpu.py --compare 48 --json gpu.json
python benchmarks/gpu.py --device cpu --size 32 --tilts 21
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from memory import taken
from torch.utils.flop_counter import FlopCounterMode
from trials.cells import Cell, load, take

import tomoinr
from tomoinr.assemble import assemble, rough_alignment
from tomoinr.builtin.linear import LinearMap
from tomoinr.data import Reconstruction
from tomoinr.interfaces import Problem, Solver
from tomoinr.loop import run
from tomoinr.metrics import score
from tomoinr.plugins import Plugins
from tomoinr.recipe import Choice, Recipe, Run, build
from tomoinr.team import Solo, Team

SLICES = 16  # that a volume is asked for at a time
LONG = 0.3  # seconds for which a rate is measured, about
MOVED = Cell("nanoparticles", dose=100, off="moved")  # what devices are compared on
Figures = dict[str, dict[str, Any]]


def main(words: list[str] | None = None) -> None:
    args = arguments(words)
    device, series = opened(args.device), taken(args.size, args.tilts)
    bench, name = Bench(device, series), named(device)
    print(f"{name}, torch {torch.__version__}, tomoinr {tomoinr.__version__}")
    print(f"{args.size}³ voxels, {args.tilts} images\n")
    versions = {"torch": torch.__version__, "tomoinr": tomoinr.__version__}
    found = {**vars(args), "device": name, "json": None, "versions": versions}
    found["ceilings"] = bench.measure_ceilings()
    found["projector"], found["volumes"] = bench.projector(), bench.volumes()
    recipes = {name: recipe(name, args, bench.plugins) for name in args.recipes}
    with tempfile.TemporaryDirectory() as folder:
        file = series.save(Path(folder) / "series.mrc")
        found["recipes"] = {n: bench.stages(n, r, file, args.runs) for n, r in recipes.items()}
        if args.compare:
            data = take(MOVED, args.compare, 0, Path(folder))
            found["ssim"] = {name: bench.compared(name, r, data) for name, r in recipes.items()}
    if args.json:
        args.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--device", default="cuda", help="cuda, cuda:1, cpu")
    add("--size", type=int, default=256, help="voxels along each edge")
    add("--tilts", type=int, default=61)
    add("--recipes", nargs="*", default=["auto", "siren"], help="auto, or volumes for joint")
    add("--quality", choices=("fast", "default", "best"), default="default")
    add("--steps", type=int, help="of each recipe; if not given, what its quality takes")
    add("--runs", type=int, default=2, help="of each recipe")
    add("--compare", type=int, default=0, metavar="SIZE", help="SSIM here and on a CPU, at a size")
    add("--json", type=Path, help="write all figures to this file, too")
    return parser.parse_args(words)


def opened(name: str) -> torch.device:
    """The device, if it can be used."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError):
        raise tomoinr.TomoinrError(
            f"torch {torch.__version__} finds no device '{name}' here; --device cpu works anywhere"
        ) from None
    return device


def named(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type}, {torch.get_num_threads()} thread(s)"


def recipe(name: str, args: argparse.Namespace, plugins: Plugins) -> Recipe:
    """`auto`, or joint with a volume."""
    automatic = name == "auto"
    solver, volume = Choice("auto" if automatic else "joint"), None if automatic else Choice(name)
    chosen = Recipe(run=Run(quality=args.quality), solver=solver, volume=volume)
    return chosen.resolve(plugins, steps=args.steps)


def row(name: str, *figures: str) -> None:
    print(f"{name:36}" + "".join(f"{figure:>12}" for figure in figures))


class Clock:
    """Seconds of one thing after the other, each to the end of what the device was told."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.laps: list[tuple[str, float]] = []
        self.begun = self.now()

    def now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def lap(self, name: str) -> None:
        self.begun, before = self.now(), self.begun
        self.laps.append((name, self.begun - before))


class Watched:
    """A solver whose stages are timed; one that has none is one stage."""

    def __init__(self, solver: Solver, clock: Clock) -> None:
        self._solver, self._clock = solver, clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._solver, name)

    def step(self, problem: Problem, state: Any, team: Team) -> torch.Tensor:
        loss = self._solver.step(problem, state, team)
        stages = getattr(state, "stages", [])
        ends = dict(zip(accumulate(stage.steps for stage in stages), stages, strict=True))
        if stage := ends.get(state.step):
            words = re.sub("(?<=[a-z])(?=[A-Z])", " ", type(stage).__name__).lower()
            self._clock.lap(f"{words}, {stage.steps} × {stage.problem.grid.shape[0]}³")
        elif self._solver.done(problem, state):
            self._clock.lap(f"{problem.volume.name}, {state.step} × {problem.grid.shape[0]}³")
        return loss


@dataclass
class Bench:
    """One device, and one series that is seen as a cube of voxels."""

    device: torch.device
    series: tomoinr.TiltSeries
    plugins: Plugins = field(default_factory=Plugins)
    ceilings: dict[str, float] = field(default_factory=dict)

    def seconds(self, work: Callable[[], object]) -> float:
        """Of one call, on average, once everything is compiled and warm."""

        def mean(calls: int) -> float:
            clock = Clock(self.device)
            for _ in range(calls):
                work()
            return (clock.now() - clock.begun) / calls

        mean(2)
        return mean(min(max(round(LONG / mean(1)), 2), 100))

    def measure_ceilings(self) -> dict[str, float]:
        """FLOP/s of products of matrices, and bytes/s read and written by a copy."""
        side, count = (8192, 1 << 28) if self.device.type == "cuda" else (1024, 1 << 24)
        for dtype in (torch.bfloat16, torch.float32):
            a = torch.randn(side, side, device=self.device).to(dtype)
            self.ceilings[str(dtype)] = 2 * side**3 / self.seconds(lambda a=a: a @ a)
        source, target = torch.ones(2, count, device=self.device)
        self.ceilings["copy"] = 8 * count / self.seconds(lambda: target.copy_(source))
        row("ceiling", "TFLOP/s, TB/s")
        for name, rate in self.ceilings.items():
            row(name, f"{rate / 1e12:.3f}")
        return self.ceilings

    def projector(self) -> Figures:
        """The projection of all slices at all tilts, and its transpose."""
        full = Recipe(solver=Choice("sirt"), poses=Choice("fixed")).resolve(self.plugins)
        problem, _ = assemble(self.series, full, self.plugins)
        matrix = LinearMap(problem.to(self.device), Solo(self.device))
        voxels, images = torch.ones_like(matrix.parameter.data), matrix.data
        # A voxel has two entries a tilt, of a weight and a place each; all slices share them.
        entries = 2 * len(self.series.angles) * voxels[0, 0].numel()
        moved = 8 * entries + voxels.nbytes + images.nbytes
        works = {"forward": lambda: matrix.forward(voxels), "back": lambda: matrix.adjoint(images)}
        found: Figures = {}
        print()
        row("projector", " ms", "of ceiling")
        for name, work in works.items():
            spent = self.seconds(work)
            found[name] = {"seconds": spent, "ceiling": moved / spent / self.ceilings["copy"]}
            row(name, f"{1e3 * spent:.2f}", f"{found[name]['ceiling']:.4f}")
        return found

    def volumes(self) -> Figures:
        """Points per second of every volume on slices, forward, and forward and back."""
        dtype = torch.bfloat16 if self.device.type == "cuda" else torch.float32
        product, copy = self.ceilings[str(dtype)], self.ceilings["copy"]
        grid, found = self.series.grid(), {}
        slices = torch.linspace(0, grid.shape[0] - 1, min(SLICES, grid.shape[0])).long()
        print()
        row("volume", "Mpoints/s", "of ceiling", "trained", "of ceiling")
        for name in [part.name for part in self.plugins.parts("volume")]:
            volume = build("volume", Choice(name), self.plugins, grid, 1)
            with FlopCounterMode(display=False) as counter, torch.no_grad():
                points = volume.voxels(grid, slices[:1]).numel()
            least = counter.get_total_flops() / points / product or 8 / copy
            rates = self.rates(volume.to(self.device), slices.to(self.device))
            parts = [least * rates[0], 3 * least * rates[1]]
            found[name] = {"rates": rates, "ceilings": parts}
            pairs = zip(rates, parts, strict=True)
            row(name, *(text for r, p in pairs for text in (f"{r / 1e6:.2f}", f"{p:.4f}")))
        return found

    def rates(self, volume: Any, slices: torch.Tensor) -> list[float]:
        """Points per second, forward, and forward and back."""

        def forward() -> torch.Tensor:
            with torch.no_grad():
                return volume.voxels(volume.grid, slices)

        def trained() -> None:
            volume.zero_grad()
            volume.voxels(volume.grid, slices).square().mean().backward()

        points = forward().numel()
        return [points / self.seconds(work) for work in (forward, trained)]

    def stages(self, name: str, full: Recipe, file: Path, runs: int) -> dict[str, Any]:
        """Seconds of every stage, from the file to the voxels; peak memory, bytes."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        found: dict[str, Any] = {"stages": []}
        for number in range(1, runs + 1):
            clock = Clock(self.device)
            series = tomoinr.TiltSeries.load(file)
            clock.lap("read")
            self.solve(full, series, clock)
            found["stages"].append(clock.laps)
            print()
            row(f"{name}, run {number}", "s")
            for stage, seconds in [*clock.laps, ("total", sum(lap for _, lap in clock.laps))]:
                row(stage, f"{seconds:.2f}")
        if self.device.type == "cuda":
            found["peak"] = torch.cuda.max_memory_allocated(self.device)
            row("peak of the device, GiB", f"{found['peak'] / 2**30:.2f}")
        return found

    def solve(self, full: Recipe, series: tomoinr.TiltSeries, clock: Clock) -> Reconstruction:
        """As `tomoinr.reconstruct` goes, on the clock's device."""
        rough = rough_alignment(series, full, self.plugins)
        clock.lap("rough alignment")
        problem, solver = assemble(series, full, self.plugins, rough.poses if rough else None)
        problem = problem.to(clock.device)
        clock.lap("assembly")
        result = run(problem, Watched(solver, clock), Solo(clock.device))
        clock.lap("rendering")
        return result

    def compared(self, name: str, full: Recipe, data: Path) -> dict[str, float]:
        """SSIM of the same recipe on the same data, here and on a CPU."""
        case, found = load(data), {}
        for device in (self.device, torch.device("cpu")):
            result = self.solve(full, case.series, Clock(device))
            found[device.type] = score(result.voxels, case.truth).ssim
        print()
        row(f"{name}, SSIM", *found)
        row(data.stem, *(f"{ssim:.4f}" for ssim in found.values()))
        return found


if __name__ == "__main__":
    try:
        main()
    except tomoinr.TomoinrError as error:
        sys.exit(str(error))
