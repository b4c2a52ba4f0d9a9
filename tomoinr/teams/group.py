"""A team over a process group of torch: NCCL between GPUs, gloo between CPUs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from torch import Tensor, distributed

from tomoinr.teams.wired import Wired


class GroupTeam(Wired):
    """The process group is open when this is made, and closed with it."""

    def reduce(self, flat: Tensor) -> Callable[[], bool]:
        """Begin `all_reduce`."""
        return _begun(distributed.all_reduce(flat, async_op=True))

    def broadcast(self, flat: Tensor) -> Callable[[], bool]:
        """Begin `broadcast`."""
        return _begun(distributed.broadcast(flat, 0, async_op=True))

    def collect(self, part: Tensor, whole: Tensor, counts: list[int]) -> Callable[[], bool]:
        """Begin `all_gather`, of parts made equally long."""
        longest = max(counts)
        mine = part.new_zeros(longest)
        mine[: len(part)] = part
        parts = [part.new_empty(longest) for _ in counts]
        finished = _begun(distributed.all_gather(parts, mine, async_op=True))

        def done() -> bool:
            if not finished():
                return False
            for target, found in zip(whole.split(counts), parts, strict=True):
                target.copy_(found[: len(target)])
            return True

        return done

    def close(self) -> None:
        """Leave together."""
        super().close()
        distributed.destroy_process_group()

    def abort(self, code: int) -> None:
        """The launcher ends the others when one fails."""
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _begun(work: distributed.Work | None) -> Callable[[], bool]:
    """Whether it is done, once and for all."""
    assert work is not None

    def done() -> bool:
        if work.is_completed():
            work.wait()
            return True
        return False

    return done
