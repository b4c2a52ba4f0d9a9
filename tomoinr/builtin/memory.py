"""Memory: how much is left of the machine, of a job's limits, of a GPU; and giving it back."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

import torch

ROOT = Path("/")
# Numbers: a tensor of so many or more may be kept in 16 bits, if it only says how far a step goes.
LARGE = 1 << 20
# A controller's folder, and its names for a limit, for what is used, and for what of that is files
# that would make room.
GROUPS = {
    "": ("sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    "memory": (
        "sys/fs/cgroup/memory",
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
}


def free_memory(device: torch.device, root: Path = ROOT) -> float:
    """Bytes; infinite where nothing is known."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    return min(_of_machine(root), *_of_groups(root), math.inf)


def give_back() -> None:
    """What was freed in many pieces goes back to the machine, where the C library keeps it."""
    with suppress(OSError, AttributeError):  # of GNU's library alone
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _of_machine(root: Path) -> float:
    table = _table(root / "proc/meminfo")
    return 1024 * table["MemAvailable:"] if "MemAvailable:" in table else math.inf


def _of_groups(root: Path) -> Iterator[float]:
    """What each limit leaves; a group is bound by those of the groups that it is in, too."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)
        for controller, (folder, limit, used, files) in GROUPS.items():
            if controller not in controllers.split(","):
                continue
            inside = PurePosixPath(group.lstrip("/"))
            for place in (root / folder / part for part in (inside, *inside.parents)):
                most, now = _text(place / limit), _text(place / used)
                if most.isdecimal() and now.isdecimal():
                    yield int(most) - int(now) + _table(place / "memory.stat").get(files, 0)


def _table(path: Path) -> dict[str, int]:
    """Names and numbers, one of each a line."""
    lines = (line.split() for line in _text(path).splitlines())
    return {words[0]: int(words[1]) for words in lines if len(words) > 1 and words[1].isdecimal()}


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
