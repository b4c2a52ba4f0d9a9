"""How ranks find each other: rank 0 holds a notice board, at an address that all can reach."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from torch.distributed import (  # type: ignore[attr-defined]
    PrefixStore,
    Store,
    TCPStore,
    rendezvous,
)

from tomoinr.errors import TomoinrError
from tomoinr.teams.launch import Launch

PROBE = 3.0  # seconds for an address to answer
LOOPBACK = "127.0.0.1"


def meet(
    rank: int,
    hosts: Sequence[str],
    copied: Callable[[Any], Any],
    gathered: Callable[[Any], list[Any]],
    deadline: float,
) -> Store:
    """The board, among ranks that can already exchange a few words (by MPI).

    `copied` gives rank 0's value to all, `gathered` every rank's.
    """
    limit = timedelta(seconds=deadline)
    board = None
    if rank == 0:  # port 0: one that is free
        board = TCPStore("0.0.0.0", 0, is_master=True, wait_for_workers=False, timeout=limit)
    addresses, port = copied((_addresses(), board.port) if board else None)
    # On one host its inside; though containers on several may bear one name.
    addresses = [LOOPBACK] * (len(set(hosts)) == 1) + addresses
    reached = gathered([address for address in addresses if _answers(address, port)])
    common = [address for address in addresses if all(address in mine for mine in reached)]
    if not common:
        blind = [f"rank {r} on {hosts[r]}" for r, mine in enumerate(reached) if not mine]
        raise TomoinrError(
            f"rank 0 on {hosts[0]} cannot be reached at {' or '.join(addresses)} by "
            f"{', '.join(blind) or 'all ranks at one address'}: open the network between the "
            "nodes for TCP, or run on one node"
        )
    _bind(common[0], port)
    return board or TCPStore(common[0], port, is_master=False, timeout=limit)


def meet_by_torchrun(launch: Launch, deadline: float) -> Store:
    """The board that torchrun has set up."""
    limit = timedelta(seconds=deadline)
    store, _, _ = next(rendezvous("env://", launch.rank, launch.size, timeout=limit))
    return PrefixStore("tomoinr", store)


def _bind(address: str, port: int) -> None:
    """Let NCCL and gloo use the network by which the board is reached: others may lead nowhere."""
    with socket.create_connection((address, port), PROBE) as connection:
        mine = connection.getsockname()[0]
    for name in (name for name, owned in _interfaces() if owned == mine):
        os.environ.setdefault("NCCL_SOCKET_IFNAME", name)
        os.environ.setdefault("GLOO_SOCKET_IFNAME", name)


def _addresses() -> list[str]:
    """This host's, over IPv4."""
    found = [address for _, address in _interfaces() if address != LOOPBACK]
    return found or [socket.gethostbyname(socket.gethostname())]


def _interfaces() -> list[tuple[str, str]]:
    """Each network interface and its IPv4 address."""
    try:
        import fcntl
    except ImportError:  # not on this system
        return []
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            try:
                asked = fcntl.ioctl(probe, 0x8915, name.encode().ljust(40, b"\0"))  # SIOCGIFADDR
            except OSError:  # it has no such address
                continue
            found.append((name, socket.inet_ntoa(asked[20:24])))
    return found


def _answers(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), PROBE):
            return True
    except OSError:
        return False
