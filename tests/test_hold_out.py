"""The strength of total variation that held-out images ask for."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tomoinr import reconstruct
from tomoinr.builtin.auto.hold_out import LADDER, USUAL, best_caution, lowest
from tomoinr.builtin.noise import weigh
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.metrics import score
from tomoinr.team import Solo
from tomoinr.testing.solvers import small_problem
from tomoinr.testing.threads import together

ANGLES = tuple(range(-60, 61, 4))


def taken(phantom: str, dose: float):
    return simulate(phantom, (24, 24, 24), Acquisition(ANGLES, dose=dose), seed=0)


def chosen(made) -> float:
    found = reconstruct(made.series(), poses="fixed", quality="fast")
    (line,) = (note for note in found.notes if "standard errors" in note)
    return float(line.split()[4])


def test_bulky_specimens_are_smoothed_more_than_fine_ones() -> None:
    assert chosen(taken("ellipsoids", 20)) > 1.4 * chosen(taken("dendrite", 20))


@pytest.mark.slow
def test_the_choice_is_about_as_good_as_the_best() -> None:
    made = taken("ellipsoids", 10)

    def quality(caution: float) -> float:
        solver = {"name": "auto", "caution": caution}
        found = reconstruct(made.series(), poses="fixed", quality="fast", solver=solver)
        return score(found.voxels, made.truth).ssim

    best = max(quality(c) for c in (0.1, 0.2, 0.3, 0.45))
    assert quality(0) > best - 0.01
    assert quality(0.1) < best - 0.03


def test_every_team_chooses_alike_and_the_volume_is_left_alone() -> None:
    problem = small_problem()
    noisy = problem.series.images + 0.05 * torch.randn(
        problem.series.images.shape, generator=torch.Generator().manual_seed(0)
    )
    problem = replace(problem, series=replace(problem.series, images=noisy))
    noise = weigh(problem.series.images)
    before = problem.voxels().clone()
    alone = best_caution(problem, Solo(), noise.weights, noise.error)
    assert LADDER[-1] <= alone <= LADDER[0]
    torch.testing.assert_close(problem.voxels(), before)
    for theirs in together(2, lambda t: best_caution(problem, t, noise.weights, noise.error)):
        assert theirs == pytest.approx(alone, rel=1e-3)


def test_few_images_are_all_needed() -> None:
    problem = small_problem()
    few = replace(problem, series=problem.series.select(list(range(9))))
    noise = weigh(few.series.images)
    assert best_caution(few, Solo(), noise.weights, noise.error) == USUAL


def test_thelowest_point_lies_between_the_rungs_or_at_an_end() -> None:
    places = np.log(LADDER)
    bottom = np.log(0.2)
    assert lowest(places, (places - bottom) ** 2) == pytest.approx(0.2)
    assert lowest(places, places) == pytest.approx(LADDER[-1])
    assert lowest(places, -places) == pytest.approx(LADDER[0])
