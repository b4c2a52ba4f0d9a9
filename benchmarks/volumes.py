"""Points per second of every network volume: eight slices there and back, on one CPU core.

python benchmarks/volumes.py --size 64 --slices 8
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch

from tomoinr.geometry import Grid
from tomoinr.options import parse
from tomoinr_inr import tomoinr_volumes

MORE = [("siren", {"width": 128}), ("siren", {"width": 256}), ("hsiren", {"width": 256})]


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Median time of the processor, so that other people's work on the machine counts little."""
    times = []
    for _ in range(repeats + 1):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return median(times[1:])


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--size", type=int, default=64)
    arguments.add_argument("--slices", type=int, default=8)
    arguments.add_argument("--repeats", type=int, default=9)
    arguments.add_argument("--precision", default="single", choices=["single", "half"])
    given = arguments.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    grid = Grid((given.size,) * 3)
    slices = torch.linspace(0, given.size - 1, given.slices).long()
    points = given.slices * given.size**2
    classes = {cls.name: cls for cls in tomoinr_volumes()}
    scattered = (torch.rand(points, 3) - 0.5) * given.size
    print("million points a second; training is forward and backward")
    print(
        f"{'volume':20}{'parameters':>12}{'slices':>10}{'trained':>10}{'scattered':>12}{'trained':>10}"
    )
    for name, table in [(name, {}) for name in classes] + MORE:
        options = parse(classes[name].Options, {"precision": given.precision, **table}, name)
        volume = classes[name](options, grid, 1)

        def lattice(volume=volume):
            return volume.voxels(grid, slices)

        def anywhere(volume=volume):
            return volume.density(scattered)

        figures = []
        for look in (lattice, anywhere):
            with torch.no_grad():
                figures.append(points / seconds(look, given.repeats) / 1e6)
            figures.append(
                points
                / seconds(lambda look=look: look().square().mean().backward(), given.repeats)
                / 1e6
            )
        label = " ".join([name, *(str(v) for v in table.values())])
        count = sum(p.numel() for p in volume.parameters())
        print(
            f"{label:20}{count:>12,}{figures[0]:>10.2f}{figures[1]:>10.2f}{figures[2]:>12.2f}{figures[3]:>10.2f}"
        )


if __name__ == "__main__":
    main()
