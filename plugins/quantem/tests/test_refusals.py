"""What the solver refuses before quantEM is asked for anything."""

import pytest
import torch

from tomoinr.builtin.voxels import Voxels
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Grid
from tomoinr.options import parse
from tomoinr.team import Solo
from tomoinr_quantem.options import Options
from tomoinr_quantem.solver import QuantemInr


@pytest.fixture(autouse=True)
def unasked(monkeypatch):
    monkeypatch.setattr("tomoinr_quantem.solver.require", lambda: None)
    monkeypatch.delenv("RANK", raising=False)


@pytest.fixture
def refused(problem):
    def check(message, given=None, **options):
        solver = QuantemInr(parse(Options, options, "quantem-inr"))
        with pytest.raises(TomoinrError, match=message):
            solver.init(given or problem(), Solo())

    return check


def test_several_channels(refused, problem):
    refused("learns one signal, but there are 2: a, b", problem(channels=2))


def test_a_volume_that_takes_no_voxels(refused, problem):
    given = problem()
    given.volume.__class__ = type("Other", (Voxels,), {"name": "other", "abilities": frozenset()})
    refused("which the volume 'other' cannot take", given)


def test_a_box_off_the_middle(refused, problem):
    refused("whose centre is the images' only", problem(Grid((13, 15, 18), 2.5, (0.0, 0.0, 5.0))))


def test_poses_that_cannot_be_handed_back(refused, problem):
    given = problem()
    given.poses.register_buffer("more", torch.zeros(1))
    refused("use poses 'fixed', which it moves", given, learn_poses=True)


def test_a_process_group_that_is_not_meant(refused, monkeypatch):
    monkeypatch.setenv("RANK", "0")
    refused("without it")


def test_the_cpu_beside_a_gpu(refused, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    refused("CUDA_VISIBLE_DEVICES")


def test_steps_are_batches_and_passes_are_all_pixels(problem):
    given, pixels = problem(), 25 * 13 * 18
    for options, steps in (({}, 10 * (pixels // 1024)), ({"batch": 10**6}, 10), ({"steps": 7}, 7)):
        solver = QuantemInr(parse(Options, options, "quantem-inr"))
        assert solver._steps(given) == steps
