"""`tomoinr reconstruct` with something wrong on one rank at its third step."""

import os
import signal
import sys
import time

from tomoinr.builtin.sirt import Sirt
from tomoinr.cli import main
from tomoinr.errors import TomoinrError

kind, rank = sys.argv[1], int(sys.argv[2])
sys.argv = ["tomoinr", *sys.argv[3:]]
step = Sirt.step


def wrong(self, problem, state, team):
    if state.step == 3 and team.rank == rank:
        match kind:
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "stopped":
                os.kill(os.getpid(), signal.SIGSTOP)
            case "mistaken":
                raise TomoinrError("the data is bad here")
            case "broken":
                raise ZeroDivisionError("a bug")
            case "leaving":
                sys.exit(0)
            case "gone":
                os._exit(0)
            case "slow":
                time.sleep(1)
    if state.step == 3 and kind == "all mistaken":
        raise TomoinrError("the data is bad everywhere")
    return step(self, problem, state, team)


Sirt.step = wrong
main()
