"""A notice board for all ranks: who waits, who is busy, who has failed. Nobody waits for ever."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from threading import Event, Thread

from torch.distributed import Store  # type: ignore[attr-defined]

from tomoinr.errors import TomoinrError, reason

NAP, BOARD_NAP = 1e-3, 2e-2  # seconds between two looks at a request, or at the board
GRACE = 1.0  # seconds that ranks are given to fail alike, or to sign on as waiting
BEATS = 5  # signs of life within the deadline
PATIENCE = "a longer wait: TOMOINR_DEADLINE=seconds"


class LostRank(TomoinrError):
    """Ranks that do not answer; `spokesman`: this rank is to say so."""

    def __init__(self, message: str, spokesman: bool = True) -> None:
        super().__init__(message)
        self.spokesman = spokesman


class Board:
    """A TCP store, held by rank 0, as seen by one rank; `deadline` in seconds."""

    def __init__(self, store: Store, rank: int, hosts: tuple[str, ...], deadline: float) -> None:
        self.rank, self.hosts, self.deadline = rank, hosts, deadline
        self._store = store
        self._heard = 0.0  # when there was a last sign of life from those waited for
        store.set_timeout(timedelta(seconds=deadline))

    def where(self, rank: int) -> str:
        """A rank in words."""
        return f"rank {rank} on {self.hosts[rank]}"

    def write(self, key: str, text: str) -> None:
        """For all to read."""
        self._store.set(key, text)

    def read(self, key: str) -> str:
        """What was written; to be asked for only where it was."""
        return str(self._store.get(key).decode())

    def count(self, key: str, more: int = 0) -> int:
        """So many in all, over all ranks."""
        return int(self._store.add(key, more))

    def until(self, done: Callable[[], bool], key: str, nap: float = NAP) -> None:
        """Look again and again; half the deadline on, sign on as waiting; then ask who has not."""
        self._heard, signed = time.monotonic(), False
        with self._last_resort() as alarm:
            while not _or_lost(done):
                waited = time.monotonic() - self._heard
                time.sleep(min(nap, waited / 20))
                if waited > self.deadline / 2 and not signed:
                    signed = True
                    alarm()
                    with suppress(RuntimeError):  # gone with rank 0: found out at the deadline
                        self.write(f"waits/{key}/{self.rank}", "")
                if waited > self.deadline:
                    raise self._loss(key)

    @contextmanager
    def _last_resort(self) -> Iterator[Callable[[], None]]:
        """An alarm that ends this process: over a cut link to rank 0 the board never answers."""
        ended = Event()

        def watch() -> None:
            while not ended.wait(GRACE):
                if time.monotonic() - self._heard > self.deadline + 4 * GRACE:
                    told = f"tomoinr: {self.where(self.rank)}: {self.where(0)} is out of reach"
                    print(told, file=sys.stderr, flush=True)
                    os._exit(1)

        try:
            yield Thread(target=watch, daemon=True).start
        finally:
            ended.set()

    @contextmanager
    def busy(self, key: str) -> Iterator[None]:
        """Signs of life, for those who `hear`, while this rank works alone."""
        ended = Event()

        def beat() -> None:
            while not ended.wait(self.deadline / BEATS):
                self.count(f"{key}/beats", 1)

        thread = Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def hear(self, key: str) -> str:
        """What is written in the end by a rank that works alone, as long as it shows life."""
        beats = 0

        def done() -> bool:
            nonlocal beats
            last, beats = beats, self.count(f"{key}/beats")
            if beats > last:
                self._heard = time.monotonic()
            return bool(self._store.check([key]))

        self.until(done, key, BOARD_NAP)
        return self.read(key)

    def all_failed(self) -> bool:
        """Whether every rank has come to grief within the time of grace."""
        with suppress(RuntimeError):  # the board has gone, with rank 0
            count, begun = self.count("failed", 1), time.monotonic()
            while count < len(self.hosts) and time.monotonic() - begun < GRACE:
                time.sleep(BOARD_NAP)
                count = self.count("failed")
            if count >= len(self.hosts):
                self.leave()
                return True
        return False

    def leave(self) -> None:
        """Rank 0, which holds the board, goes last."""
        begun, others = time.monotonic(), len(self.hosts) - 1
        with suppress(RuntimeError):
            left = self.count("left", int(self.rank > 0))
            while self.rank == 0 and left < others and time.monotonic() - begun < GRACE:
                time.sleep(BOARD_NAP)
                left = self.count("left")

    def _loss(self, key: str) -> LostRank:
        """Said by the lowest of the ranks that wait: who does not."""
        time.sleep(GRACE)
        everyone = range(len(self.hosts))
        try:
            here = [rank for rank in everyone if self._store.check([f"waits/{key}/{rank}"])]
        except RuntimeError:
            here = list(everyone[1:])
        missing = ", ".join(self.where(rank) for rank in everyone if rank not in here)
        return LostRank(
            f"{missing or 'the network'}: no answer for {self.deadline:g} s; stopped, busy "
            f"elsewhere, or cut off ({PATIENCE})",
            spokesman=self.rank == min(here, default=self.rank),
        )


def _or_lost(done: Callable[[], bool]) -> bool:
    """Whether it is done; a broken connection is a lost rank."""
    try:
        return done()
    except RuntimeError as error:
        raise LostRank(f"the connection to other ranks is lost: {reason(error)}") from None
