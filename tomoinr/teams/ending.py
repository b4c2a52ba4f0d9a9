"""How a program that may be one of many ends: together, and with one message."""

from __future__ import annotations

import os
import sys
import time

from tomoinr.teams.board import GRACE, LostRank
from tomoinr.teams.launch import launched
from tomoinr.teams.wired import Wired

_opened: list[Wired] = []  # the team of this process, if it has one


def remember(team: Wired) -> Wired:
    """The team that is to be closed, or told of an error."""
    _opened.append(team)
    return team


def close() -> None:
    """After everything went well: wait for the others."""
    if _opened:
        _opened[0].close()
        _opened.clear()


def end(message: str, code: int, error: BaseException | None = None) -> str:
    """What to print, if anything, before leaving with `code`: of many ranks, one speaks.

    Where only some ranks have failed, one of them prints here, and all are ended.
    """
    if not _opened:
        rank = launched(os.environ).rank
        return "" if rank else message
    team = _opened.pop()
    if isinstance(error, LostRank):
        if not error.spokesman:
            time.sleep(3 * GRACE)
            team.abort(code)
    elif team.board.all_failed():
        return "" if team.rank else message
    else:
        time.sleep(0.1 * team.rank)  # the first that speaks ends the others
        message = f"{team.board.where(team.rank)}: {message}"
    print(f"tomoinr: {message}", file=sys.stderr, flush=True)
    time.sleep(GRACE / 10)  # for the launcher to pass it on
    team.abort(code)
    return ""
