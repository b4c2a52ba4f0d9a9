"""Solvers on a team: their losses, poses and voxels, written by rank 0 to the file named."""

import runpy
import sys
from pathlib import Path

import numpy as np
import torch

from tomoinr.loop import run
from tomoinr.options import parse
from tomoinr.teams import close, open_team
from tomoinr.testing.solvers import small_problem

CASES = runpy.run_path(Path(__file__).with_name("cases.py"))["CASES"]

team = open_team()
found = {}
for name, (kind, options, problem) in CASES.items():
    torch.manual_seed(1 + team.rank)  # the start is rank 0's, whatever the others drew
    result = run(problem(small_problem()), kind(parse(kind.Options, options, name)), team)
    shift = result.poses.shift.detach().numpy()
    found |= {
        f"{name}: loss": np.array([record.loss for record in result.history]),
        f"{name}: shift": shift,
        f"{name}: voxels": result.voxels,
    }
team.first(lambda: np.savez(sys.argv[1], **found))
close()
