"""Exact runs: their losses, poses and voxels to the last bit, written by rank 0."""

import runpy
import sys
from pathlib import Path

import numpy as np
import torch

from tomoinr.exact import run_exactly
from tomoinr.options import parse
from tomoinr.teams import close, open_team
from tomoinr.testing.solvers import small_problem

CASES = runpy.run_path(Path(__file__).with_name("cases.py"))["CASES"]

team = open_team()
found = {}
for name, (kind, options, problem) in CASES.items():
    torch.manual_seed(1 + team.rank)  # the start is rank 0's, whatever the others drew
    solver = kind(parse(kind.Options, options, name))
    result = run_exactly(problem(small_problem()), solver, team)
    found |= {
        f"{name}: loss": np.array([record.loss for record in result.history]),
        f"{name}: shift": result.poses.shift.detach().numpy(),
        f"{name}: voxels": result.voxels,
    }
team.first(lambda: np.savez(sys.argv[1], **found))
close()
