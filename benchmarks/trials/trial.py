"""One method in one cell, in a process of its own: a crash stops nothing, and memory is its own."""

from __future__ import annotations

import multiprocessing
import resource
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import torch

from tomoinr.errors import reason
from tomoinr.fsc import fsc
from tomoinr.metrics import pose_errors, score
from trials.cells import Cell, load
from trials.methods import Method
from trials.records import Record

FINE = 2 / 3  # of Nyquist: up to there shells count


def attempt(blank: Record, data: Path, threads: int) -> Record:
    """Fill in a record, whatever happens."""
    alone = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
    with alone:
        try:
            return alone.submit(measure, blank, data, threads).result()
        except BrokenProcessPool:
            return replace(blank, failed="its process died: memory, most likely")
        except Exception as error:
            return replace(blank, failed=reason(error))


def measure(blank: Record, data: Path, threads: int) -> Record:
    """Reconstruct and judge."""
    torch.set_num_threads(threads)
    case, cell = load(data), Cell.parse(blank.cell)
    before = memory("VmRSS")
    outcome = Method.parse(blank.method).solve(case, cell.moved, blank.seed)
    peak = memory("VmHWM") - before
    ssim, psnr = score(outcome.voxels, case.truth)
    tilts = case.series.angles.numpy()
    measured, wedge = fsc(outcome.voxels, case.truth, tilts).means(FINE)
    errors = pose_errors(outcome.found.poses, case.dx, case.dy, case.phi, tilts)
    return replace(
        blank,
        ssim=ssim,
        psnr=psnr,
        measured_fsc=measured,
        wedge_fsc=wedge,
        **errors._asdict(),
        seconds=outcome.seconds,
        peak=peak,
        chosen=outcome.chosen,
    )


def memory(figure: str) -> float:
    """MiB now resident (`VmRSS`) or the most so far (`VmHWM`).

    `getrusage` would count the parent's memory too: Linux carries its peak into a new program.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines[figure].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # bytes on a Mac
