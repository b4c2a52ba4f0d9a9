"""How much memory and time do large stacks take: to open, to read one image of, to bin by four?

A stack of 16-bit images is written to disk, image by image. Then each question is asked in a
process of its own. What is shown is all that the process ever held (resident), and what of that it
held before, Python and its libraries. The aim is to stay below 1 GB, libraries included.

python benchmarks/large.py --gib 2 --folder /scratch
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import mrcfile
import numpy as np
from trials.trial import memory

import tomoinr
from tomoinr.cli.prepare import prepare
from tomoinr.io import open_stack

AIM = 10**9 / 2**20  # MiB
GIB = 2**30
DETAILS = 64  # pixels: the images are made of such squares, repeated


class Figures(NamedTuple):
    """MiB held before and at most, and seconds: of the clock and of the processor."""

    before: float
    peak: float
    seconds: float
    busy: float


def main(words: list[str] | None = None) -> None:
    args = arguments(words)
    os.environ["OMP_NUM_THREADS"] = str(args.threads)  # for the processes to come
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        path = Path(folder) / "stack.mrc"
        images = write(path, args.gib, args.size)
        size = f"{path.stat().st_size / GIB:.2f} GiB"
        print(f"{size}: {images} images of {args.size}², 16 bits; aim below {AIM:.0f} MiB")
        print(f"{'':16}{'MiB before':>12}{'MiB at most':>12}{'s':>8}{'CPU s':>8}")
        for name, question in QUESTIONS.items():
            print(told(name, alone(question, path)), flush=True)


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--gib", type=float, default=2.0, help="of images on disk")
    add("--size", type=int, default=4096, help="pixels along each edge of an image")
    add("--folder", type=Path, help="where there is room for it; emptied again")
    add("--threads", type=int, default=1)
    return parser.parse_args(words)


def write(path: Path, gib: float, size: int) -> int:
    """A stack of about so many GiB within ±60°, its angles beside it; how many images it has."""
    images, random = max(2, round(gib * GIB / (2 * size**2))), np.random.default_rng(0)
    with mrcfile.new_mmap(path, (images, size, size), mrc_mode=1) as file:
        repeats = -(-size // DETAILS)
        for image in file.data:
            square = random.poisson(200, (DETAILS, DETAILS)).astype(np.int16)
            image[:] = np.tile(square, (repeats, repeats))[:size, :size]
        file.set_image_stack()
        file.voxel_size = 1.5
    angles = np.linspace(-60, 60, images)
    path.with_suffix(".rawtlt").write_text("".join(f"{angle:.3f}\n" for angle in angles))
    return images


def alone(question: Callable[[Path], object], path: Path) -> Figures:
    """The figures of a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(measured, question, path).result()


def measured(question: Callable[[Path], object], path: Path) -> Figures:
    """The figures of this process."""
    before, begun, busy = memory("VmRSS"), time.perf_counter(), time.process_time()
    question(path)
    spent = (time.perf_counter() - begun, time.process_time() - busy)
    return Figures(before, memory("VmHWM"), *spent)


def read_one(path: Path) -> None:
    stack = open_stack(path)
    stack.image(stack.shape[0] // 2)


def bin_by(factor: int, path: Path) -> None:
    """As `tomoinr prepare` does it, written to disk."""
    prepare(path.with_name("binned.mrc"), path, [f"bin:factor={factor}"])


QUESTIONS: dict[str, Callable[[Path], object]] = {
    "open_stack": open_stack,
    "read one image": read_one,
    "prepare, bin 4": partial(bin_by, 4),
}


def told(name: str, figures: Figures) -> str:
    verdict = "" if figures.peak < AIM else "  above the aim"
    before, peak, seconds, busy = figures
    return f"{name:16}{before:12.0f}{peak:12.0f}{seconds:8.2f}{busy:8.2f}{verdict}"


if __name__ == "__main__":
    try:
        main()
    except tomoinr.TomoinrError as error:
        sys.exit(str(error))
