"""The team this process was launched into, whoever launched it."""

from __future__ import annotations

import os
from ast import literal_eval
from collections.abc import Mapping
from datetime import timedelta

import torch
from torch import distributed
from torch.distributed import PrefixStore, Store  # type: ignore[attr-defined]

from tomoinr.errors import TomoinrError, reason
from tomoinr.team import Solo, Team
from tomoinr.teams.board import Board
from tomoinr.teams.devices import Seat, Seen, look, plan
from tomoinr.teams.ending import remember
from tomoinr.teams.launch import TORCHRUN, Launch, launched
from tomoinr.teams.meeting import meet, meet_by_torchrun
from tomoinr.teams.memory import return_large_blocks
from tomoinr.teams.wired import Wired

DEADLINE = 60.0  # seconds without a word from another rank
GET_MPI = "pip install 'tomoinr[mpi]', or on a cluster mpi4py beside the MPI that is there"


def open_team() -> Team:
    """Called once, by the command line."""
    return_large_blocks()
    launch = launched(os.environ)
    if launch.size == 1:
        return Solo("cuda" if torch.cuda.is_available() else "cpu")
    deadline = _deadline(os.environ)
    open_as = _by_torchrun if launch.by == TORCHRUN else _by_mpi
    return remember(open_as(launch, deadline))


def _deadline(environment: Mapping[str, str]) -> float:
    """Seconds."""
    text = environment.get("TOMOINR_DEADLINE", "") or str(DEADLINE)
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 1 <= seconds < float("inf"):
        raise TomoinrError(f"TOMOINR_DEADLINE is '{text}', but must be 1 or more seconds")
    return seconds


def _by_mpi(launch: Launch, deadline: float) -> Wired:
    """MPI agrees on everything; between GPUs NCCL takes over."""
    try:
        from mpi4py import MPI

        from tomoinr.teams.mpi import MpiTeam
    except (ImportError, RuntimeError) as error:
        raise TomoinrError(
            f"started as {launch.size} ranks by {launch.by}, but MPI cannot be used from Python "
            f"({reason(error)}): {GET_MPI}"
        ) from None
    world = MPI.COMM_WORLD
    if world.size != launch.size:
        library = MPI.Get_library_version().splitlines()[0].strip()
        raise TomoinrError(
            f"started as {launch.size} ranks by {launch.by}, but MPI ({library}) counts "
            f"{world.size}: the launcher belongs to another MPI. Use the mpiexec of this one, name "
            "its library in MPI4PY_LIBMPI, or under SLURM choose srun --mpi=pmi2 or pmix"
        )
    everyone = world.allgather(look())
    seat, hosts = plan(everyone)[world.rank], tuple(seen.host for seen in everyone)
    store = meet(world.rank, hosts, world.bcast, world.allgather, deadline)
    board = Board(store, world.rank, hosts, deadline)
    return _on_gpu(store, board, seat) if seat.device != "cpu" else MpiTeam(board, seat)


def _by_torchrun(launch: Launch, deadline: float) -> Wired:
    """Torch's own means, for lack of MPI."""
    store = meet_by_torchrun(launch, deadline)
    store.set(f"seen/{launch.rank}", repr(tuple(look())))
    texts = (store.get(f"seen/{rank}").decode() for rank in range(launch.size))
    everyone = [Seen(*literal_eval(text)) for text in texts]
    seat, hosts = plan(everyone)[launch.rank], tuple(seen.host for seen in everyone)
    board = Board(store, launch.rank, hosts, deadline)
    return (
        _on_gpu(store, board, seat)
        if seat.device != "cpu"
        else _grouped("gloo", store, board, seat)
    )


def _on_gpu(store: Store, board: Board, seat: Seat) -> Wired:
    torch.cuda.set_device(seat.device)
    return _grouped("nccl", store, board, seat)


def _grouped(backend: str, store: Store, board: Board, seat: Seat) -> Wired:
    """With a process group of torch beside the board."""
    from tomoinr.teams.group import GroupTeam

    distributed.init_process_group(
        backend,
        store=PrefixStore("group", store),
        rank=board.rank,
        world_size=len(board.hosts),
        timeout=timedelta(seconds=board.deadline),
    )
    return GroupTeam(board, seat)
