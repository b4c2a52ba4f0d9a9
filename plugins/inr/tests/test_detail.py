"""A SIREN's frequency comes from the images, once, and stays with the network."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from tomoinr import TiltSeries, reconstruct
from tomoinr.builtin.joint import Joint
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.options import parse
from tomoinr.team import Solo
from tomoinr.testing.solvers import GRID, small_problem
from tomoinr.testing.threads import together
from tomoinr_inr.detail import STEPS, USUAL, fineness, mean_frequency, suitable
from tomoinr_inr.siren import Siren

TILTS = tuple(np.linspace(-60, 60, 13))
SIZE = 24


def taken(phantom: str, **how: float) -> TiltSeries:
    return simulate(phantom, (SIZE,) * 3, Acquisition(TILTS, **how), 0).series()


def seen(phantom: str, **how: float) -> float:
    """Mean frequency in cycles per half box."""
    series = taken(phantom, **how)
    return fineness(series, series.grid())


def omega(siren: Siren) -> float:
    return float(siren.field.encoding.omega)


def waves(cycles: float, noise: float = 0.0) -> torch.Tensor:
    """Images (tilts, rows, columns) of a wave of so many cycles a pixel, in white noise."""
    draw = torch.Generator().manual_seed(0)
    wave = (2 * torch.pi * cycles * torch.arange(48)).cos().expand(20, 40, 48)
    return 3 + wave + noise * torch.randn(wave.shape, generator=draw)


@pytest.fixture(scope="module")
def blobs():
    """The small problem for a small SIREN."""
    return replace(small_problem(), volume=made())


def made(**options: float) -> Siren:
    torch.manual_seed(0)
    table = {"width": 16, "depth": 2, **options}
    return Siren(parse(Siren.Options, table, "siren"), GRID, 1)


@pytest.mark.parametrize("cycles", [0.1, 0.25, 0.4])
@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_a_waves_mean_frequency_is_its_own_whatever_the_noise(cycles, noise):
    assert mean_frequency(waves(cycles, noise)) == pytest.approx(cycles, abs=0.008)


def test_a_background_does_not_count_nor_does_the_scale():
    images = taken("core_shell").images
    assert mean_frequency(7 * images + 100) == pytest.approx(mean_frequency(images), rel=1e-3)


def test_finer_specimens_want_more():
    bulky, usual, fine = map(seen, ("ellipsoids", "core_shell", "dendrite"))
    assert 1.5 * bulky < usual < 0.65 * fine


@pytest.mark.parametrize("phantom", ["core_shell", "dendrite"])
@pytest.mark.parametrize(
    "how", [{"dose": 10.0}, {"shift": 2.0, "rotation": 1.5}, {"dose": 2.0, "shift": 2.0}]
)
def test_neither_noise_nor_wrong_poses_change_it(phantom, how):
    assert seen(phantom, **how) == pytest.approx(seen(phantom), rel=0.08)


def test_it_is_measured_against_the_longest_edge_of_the_box():
    series = TiltSeries(waves(0.125), torch.linspace(-60, 60, 20), 2.5)
    assert fineness(series, series.grid()) == pytest.approx(3, rel=0.02)
    assert fineness(series, series.grid(depth=96)) == pytest.approx(6, rel=0.02)


def test_limits_and_images_that_do_not_tell():
    assert [suitable(f) for f in (0.1, 0.9, 1.0, 1.1, 9.0)] == [STEPS[0], *[USUAL] * 3, STEPS[-1]]
    for blank in (torch.zeros(20, 40, 48), torch.rand(20, 1, 48), torch.rand(20, 1, 1)):
        assert suitable(mean_frequency(blank)) == USUAL


def test_blank_images_and_channels_change_nothing():
    images = taken("dendrite").images[0]
    several = torch.stack((torch.cat((images, 0 * images)), torch.zeros(26, SIZE, SIZE)))
    assert mean_frequency(several) == pytest.approx(mean_frequency(images), rel=1e-6)


def test_what_the_user_says_stays(blobs):
    given = made(omega=21.5)
    assert given.heed(blobs.series) == () and omega(given) == 21.5


def test_it_is_settled_once(blobs):
    siren = made()
    assert omega(siren) == USUAL
    (note,) = siren.heed(blobs.series)
    found = omega(siren)
    assert found != USUAL and note.startswith(f"omega = {found:g}: ")
    finer = replace(blobs.series, images=torch.rand(blobs.series.images.shape))
    assert siren.heed(finer) == () and omega(siren) == found


def test_a_saved_network_keeps_it(blobs):
    siren, again = made(), made()
    siren.heed(blobs.series)
    again.load_state_dict(copy.deepcopy(siren.state_dict()))
    assert omega(again) == omega(siren) != USUAL
    assert again.heed(replace(blobs.series, images=torch.rand(1, 15, 12, 16))) == ()
    points = GRID.points()
    assert torch.equal(again.density(points), siren.density(points))


def test_a_run_finds_it_and_tells(blobs):
    """At both scales of the run, and as if the user had said it."""

    def run(**more: float) -> tuple[np.ndarray, tuple[str, ...]]:
        found = reconstruct(
            blobs.series,
            volume={"name": "siren", "width": 16, "depth": 2, **more},
            poses="fixed",
            solver={"name": "joint", "steps": 8},
        )
        return found.voxels, found.notes

    voxels, notes = run()
    (told,) = (note for note in notes if note.startswith("omega = "))
    chosen = float(told.split(":")[0].split()[-1])
    same, quiet = run(omega=chosen)
    assert np.array_equal(voxels, same)
    assert not any(note.startswith("omega = ") for note in quiet)
    assert not np.array_equal(voxels, run(omega=chosen + 1)[0])


def test_ranks_take_rank_zeros(blobs):
    def start(team):
        images = blobs.series.images if team.rank == 0 else torch.rand(1, 15, 12, 16)
        mine = replace(blobs, volume=made(), series=replace(blobs.series, images=images))
        Joint(Joint.Options(steps=2)).init(mine, team)
        return omega(mine.volume)

    alone = start(Solo())
    assert alone != USUAL and together(2, start) == [alone, alone]
