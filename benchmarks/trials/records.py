"""What was measured: a line of JSON a trial, so that a run can be stopped and gone on with."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

NAN = float("nan")


@dataclass(frozen=True)
class Record:
    """One method in one cell; `failed` says why there are no figures."""

    cell: str
    method: str
    size: int
    seed: int
    version: str
    ssim: float = NAN
    psnr: float = NAN  # dB
    measured_fsc: float = NAN
    wedge_fsc: float = NAN
    dx: float = NAN  # rms errors after gauge removal: pixels, pixels, degrees
    dy: float = NAN
    rotation: float = NAN
    seconds: float = NAN
    peak: float = NAN  # MiB beyond the interpreter, its libraries and the case itself
    chosen: str = ""  # by an oracle
    failed: str = ""

    @property
    def key(self) -> tuple[str, str, int, int, str]:
        return self.cell, self.method, self.size, self.seed, self.version


def append(path: Path, record: Record) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(asdict(record)) + "\n")


def read(folder: Path) -> dict[tuple, Record]:
    """The last record of every key; a line cut off when a run was killed is passed over.

    What failed on one rank may have been measured by another.
    """
    found: dict[tuple, Record] = {}
    lines = (
        line for f in sorted(folder.glob("results*.jsonl")) for line in f.read_text().splitlines()
    )
    for line in lines:
        try:
            record = Record(**json.loads(line))
        except (TypeError, ValueError):
            continue
        if not record.failed or record.key not in found:
            found[record.key] = record
    return found
