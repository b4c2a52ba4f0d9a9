"""Called as TomoPy calls an algorithm: right values, right place, whatever the call says."""

import numpy as np
import pytest
import torch

import tomoinr_tomopy
from tomoinr import Reconstruction, TiltSeries, TomoinrError, reconstruct
from tomoinr_tomopy import Algorithm, inr, sirt, tv

FREE = {"positive": False}


def off(found, wanted):
    """Relative difference, root mean square."""
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


def series(data):
    return TiltSeries(torch.from_numpy(data.proj), np.rad2deg(data.theta.astype(float)))


@pytest.mark.parametrize("solver", ["sirt", "tv"])
def test_is_what_reconstruct_computes(acquired, recon, solver):
    data = acquired()
    found = recon(data.proj, data.theta, getattr(tomoinr_tomopy, solver), num_iter=30)
    wanted = reconstruct(series(data), solver=solver, steps=30).voxels
    assert off(found, wanted) < 1e-6


def test_inr_is_what_reconstruct_does_by_itself(acquired, recon):
    data = acquired((6, 12, 12))
    found = recon(data.proj, data.theta, inr, options={"seed": 3, "steps": 10})
    assert off(found, reconstruct(series(data), seed=3, steps=10).voxels) < 1e-5


@pytest.mark.parametrize("shape", [(13, 20, 24), (13, 25, 20), (13, 21, 21)])
def test_everything_is_in_its_place_on_any_grid(acquired, recon, shape):
    data = acquired(shape)
    found = recon(data.proj, data.theta, sirt, grid=shape[1:], num_iter=60)
    assert np.corrcoef(found.ravel(), data.truth.ravel())[0, 1] > 0.97
    for axes in ([0], [1], [2], [0, 1], [1, 2]):
        assert np.corrcoef(np.flip(found, axes).ravel(), data.truth.ravel())[0, 1] < 0.8


def test_a_grid_that_is_wider_than_the_images(acquired, recon):
    data = acquired((7, 16, 24))
    found = recon(data.proj, data.theta, sirt, grid=(16, 28), num_iter=60)
    assert off(found[..., 2:-2], data.truth) < 0.2


@pytest.mark.parametrize("centre", [12.5, 13.0, 14.3, 9.75])
def test_any_centre_is_followed(acquired, recon, centre):
    """Half a pixel beside it the error is three times as large."""
    data, true = acquired(centre=centre), acquired()
    found, beside = (
        off(recon(data.proj, data.theta, tv, center=c, num_iter=60), true.truth)
        for c in (centre, centre + 0.5)
    )
    assert found < 0.12
    assert beside > 1.5 * found


@pytest.mark.parametrize("algorithm", [sirt, tv])
def test_every_slice_may_have_its_own_centre(acquired, recon, algorithm):
    centres = 12 + np.linspace(-1.5, 1.7, 9) + 0.35 * (-1) ** np.arange(9)
    data, true = acquired(centre=centres), acquired()
    found = recon(data.proj, data.theta, algorithm, center=centres, num_iter=60)
    wanted = recon(true.proj, true.theta, algorithm, num_iter=60)
    assert off(found, wanted) < 0.04
    mean = recon(data.proj, data.theta, algorithm, center=centres.mean(), num_iter=60)
    assert off(mean, wanted) > 0.2


def test_inr_follows_them_too_and_hands_out_the_poses(acquired, recon):
    centres = np.linspace(11, 13, 9)
    data, results = acquired(centre=centres), []
    options = {"steps": 60, "poses": "fixed", "caution": 0.1, "solver": "auto"}
    options["found"] = results.append
    found = recon(data.proj, data.theta, inr, center=centres, options=options)
    assert off(found, data.truth) < 0.12
    (result,) = results
    assert isinstance(result, Reconstruction) and result.history
    assert result.poses.shift[:, 0].mean() == pytest.approx(centres.mean() - 12, abs=1e-5)


def test_a_solver_that_knows_one_centre_takes_no_more(acquired, recon):
    data = acquired()
    with pytest.raises(TomoinrError, match="a center for each slice"):
        recon(data.proj, data.theta, Algorithm(projector="quadrature"), np.linspace(11, 13, 9))


@pytest.mark.parametrize("algorithm", [sirt, Algorithm(solver="sirt")])
def test_goes_on_from_init_recon(acquired, recon, algorithm):
    data = acquired()
    whole, half = (recon(data.proj, data.theta, algorithm, num_iter=n) for n in (20, 10))
    again = recon(data.proj, data.theta, algorithm, num_iter=10, init_recon=half.copy())
    assert off(half, whole) > 0.02
    assert off(again, whole) < 1e-5


def test_tv_and_inr_take_a_start(acquired, recon):
    data = acquired((6, 12, 12))
    for algorithm in (tv, Algorithm(poses="fixed", caution=0.5, solver="auto")):
        cold = recon(data.proj, data.theta, algorithm, num_iter=12)
        warm = recon(data.proj, data.theta, algorithm, num_iter=12, init_recon=data.truth.copy())
        assert off(warm, data.truth) < off(cold, data.truth)


def test_a_start_is_refused_where_it_would_not_be_used(acquired, recon):
    data = acquired()
    with pytest.raises(TomoinrError, match=r"init_recon.*use the volume 'voxels'"):
        options = {"volume": "siren", "steps": 1}
        recon(data.proj, data.theta, inr, init_recon=data.truth.copy(), options=options)


def test_the_users_arrays_are_read_only_to_it(acquired, recon):
    data = acquired()
    for array in data[:2]:
        array.setflags(write=False)
    recon(data.proj, data.theta, sirt, num_iter=2, options=(given := {"relaxation": 0.9}))
    assert given == {"relaxation": 0.9}


def test_options_of_the_call_go_before_those_of_the_algorithm(acquired, recon):
    data = acquired()

    def found(algorithm, **keywords):
        return recon(data.proj, data.theta, algorithm, **keywords)

    mine = Algorithm(solver="sirt", steps=9, **FREE)
    wanted = found(sirt, num_iter=9, options=FREE)
    assert off(found(mine), wanted) == 0
    assert off(found(mine, num_iter=1), wanted) == 0
    assert off(found(mine, options={"steps": 3}), wanted) > 0.01
    assert off(found(mine, options={"positive": True}), wanted) > 0.001


@pytest.mark.parametrize(
    ("algorithm", "keywords", "message"),
    [
        (inr, {"options": {"qualty": "fast"}}, "no 'qualty'.*Did you mean 'quality'"),
        (sirt, {"options": {"relaxtion": 1.0}}, "'relaxtion'.*Did you mean 'relaxation'"),
        (sirt, {"options": [1]}, "must be a dictionary"),
        (sirt, {"options": {"found": 1}}, "found must be a function"),
        (sirt, {"options": {"solver": "sirtt"}}, "Did you mean 'sirt'"),
        (sirt, {"num_iter": 5, "options": {"steps": 6}}, "num_iter=5 and steps=6"),
        (sirt, {"reg_par": 1}, "takes no reg_par"),
        (sirt, {"accelerated": True}, r"accelerated=True.*algorithm=.*'sirt'\), ncore=1\)"),
        (tv, {"num_iter": 1}, r"more than num_iter=1.*Algorithm\(solver='tv', steps=20\)"),
        (inr, {"num_iter": 1}, "more than num_iter=1"),
        (sirt, {"center": np.nan}, "center must be finite"),
        (sirt, {"init_recon": np.full((9, 24, 24), np.nan, np.float32)}, "init_recon holds NaN"),
    ],
)
def test_what_it_cannot_do_is_refused(acquired, recon, algorithm, keywords, message):
    data = acquired()
    with pytest.raises(TomoinrError, match=message):
        recon(data.proj, data.theta, algorithm, **keywords)
