"""Which processor each rank works on, and how ranks talk: decided from what all of them see."""

from __future__ import annotations

import os
import socket
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import distributed

from tomoinr.errors import TomoinrError

BOOT = Path("/proc/sys/kernel/random/boot_id")
ON_CPUS = "to work on CPUs, set CUDA_VISIBLE_DEVICES to nothing for all"


class Seen(NamedTuple):
    """What a rank sees of its machine."""

    host: str
    boot: str  # hosts in containers may share a name
    gpus: tuple[str, ...]  # that it may use, by what tells one from another
    nccl: bool
    cores: tuple[int, ...]  # that it may run on


class Seat(NamedTuple):
    """Where a rank works."""

    node: tuple[int, ...]  # the ranks on the same node
    device: str
    threads: int


def look() -> Seen:
    """What this process sees."""
    gpus = range(torch.cuda.device_count())
    return Seen(
        socket.gethostname(),
        BOOT.read_text().strip() if BOOT.exists() else "",
        tuple(str(torch.cuda.get_device_properties(gpu).uuid) for gpu in gpus),
        distributed.is_available() and distributed.is_nccl_available(),
        _cores(),
    )


def plan(everyone: Sequence[Seen]) -> list[Seat]:
    """A seat for each rank; what cannot work is refused, with the cure."""
    nodes: dict[tuple[str, str], list[int]] = defaultdict(list)
    for rank, seen in enumerate(everyone):
        nodes[seen.host, seen.boot].append(rank)
    with_gpus = [rank for rank, seen in enumerate(everyone) if seen.gpus]
    if with_gpus and len(with_gpus) < len(everyone):
        without = next(seen.host for seen in everyone if not seen.gpus)
        raise TomoinrError(
            f"rank {with_gpus[0]} on {everyone[with_gpus[0]].host} has GPUs, but {without} has "
            f"none: start on nodes that are alike, or, {ON_CPUS}"
        )
    seats: dict[int, Seat] = {}
    for ranks in nodes.values():
        here = [everyone[rank] for rank in ranks]
        devices = _gpus(here, ranks) if with_gpus else ["cpu"] * len(ranks)
        for rank, seen, device in zip(ranks, here, devices, strict=True):
            sharing = sum(bool(set(seen.cores) & set(other.cores)) for other in here)
            seats[rank] = Seat(tuple(ranks), device, max(1, len(seen.cores) // sharing))
    if with_gpus and len(everyone) > 1 and not all(seen.nccl for seen in everyone):
        raise TomoinrError(
            "this torch comes without NCCL, by which GPUs talk: install one with CUDA, or, "
            f"{ON_CPUS}"
        )
    return [seats[rank] for rank in range(len(everyone))]


def _gpus(here: Sequence[Seen], ranks: Sequence[int]) -> list[str]:
    """Each rank's own, whether it sees all GPUs of the node or only the one it was given."""
    chosen: dict[str, int] = {}
    devices = []
    for local, (seen, rank) in enumerate(zip(here, ranks, strict=True)):
        number = local % len(seen.gpus)
        other = chosen.setdefault(seen.gpus[number], rank)
        if other != rank:
            count = len({gpu for one in here for gpu in one.gpus})
            raise TomoinrError(
                f"ranks {other} and {rank} would share a GPU of {seen.host}, which NCCL does not "
                f"allow: start at most {count} rank{'s' * (count > 1)} a node, or, {ON_CPUS}"
            )
        devices.append(f"cuda:{number}")
    return devices


def _cores() -> tuple[int, ...]:
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))
