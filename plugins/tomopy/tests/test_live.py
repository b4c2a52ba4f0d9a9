"""Called by TomoPy itself."""

import numpy as np
import pytest
import torch

from tomoinr import TiltSeries, TomoinrError
from tomoinr.geometry import Grid, Pixels, Poses, place
from tomoinr.testing.specimens import blobs
from tomoinr_tomopy import Algorithm, inr, sirt, tv
from tomoinr_tomopy.library import load

try:
    tomopy = load()
except TomoinrError as missing:
    pytest.skip(str(missing), allow_module_level=True)

FREE = {"positive": False}


@pytest.fixture(autouse=True)
def threads(monkeypatch):
    """TomoPy leaves this set after an error, and then uses no more threads than that."""
    monkeypatch.setenv("TOMOPY_PYTHON_THREADS", "8")


def off(found, wanted):
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


def test_values_and_places_are_those_of_tomopys_own(acquired):
    data = acquired((13, 18, 26))
    grid = {"num_gridx": 18, "num_gridy": 26}
    ours, theirs = (
        tomopy.recon(data.proj, data.theta, algorithm=a, num_iter=200, **grid, **more)
        for a, more in ((sirt, {"options": FREE}), ("sirt", {}))
    )
    assert off(ours, data.truth) < 0.2
    assert off(ours, theirs) < 0.06
    assert float((ours * theirs).sum() / (theirs**2).sum()) == pytest.approx(1, abs=0.01)
    for axes in ([0], [1], [2], [0, 1], [0, 2], [1, 2]):
        assert off(np.flip(ours, axes), theirs) > 0.5


@pytest.mark.parametrize("away", [0.5, -1.75])
def test_a_centre_means_what_it_means_to_tomopy(acquired, away):
    data = acquired(centre=12 + away)
    for center in (12 + away, np.full(9, 12 + away)):
        ours = tomopy.recon(data.proj, data.theta, center, algorithm=sirt, num_iter=100)
        theirs = tomopy.recon(data.proj, data.theta, center, algorithm="sirt", num_iter=100)
        assert off(ours, data.truth) < off(theirs, data.truth) * 1.05


def test_every_slice_may_have_its_own_centre(acquired):
    centres = np.linspace(10.6, 13.9, 9) + 0.3 * (-1) ** np.arange(9)
    data, true = acquired(centre=centres), acquired()
    ours = tomopy.recon(data.proj, data.theta, centres, algorithm=tv, num_iter=60)
    theirs = tomopy.recon(data.proj, data.theta, centres, algorithm="sirt", num_iter=100)
    assert off(ours, true.truth) < 0.1 < off(theirs, true.truth)


@pytest.mark.parametrize(
    "how", [{}, {"ncore": 3}, {"ncore": 2, "nchunk": 2}, {"ncore": 1, "nchunk": 4}]
)
@pytest.mark.parametrize("sinogram_order", [False, True])
def test_whatever_the_call_says_the_whole_is_solved(acquired, how, sinogram_order):
    data = acquired((9, 16, 16))
    proj = np.ascontiguousarray(data.proj.swapaxes(0, 1)) if sinogram_order else data.proj
    before = proj.copy()
    found, wanted = (
        tomopy.recon(p, data.theta, sinogram_order=s, algorithm=tv, num_iter=12, **keywords)
        for p, s, keywords in ((proj, sinogram_order, how), (data.proj, False, {"ncore": 1}))
    )
    assert np.array_equal(found, wanted)
    assert np.array_equal(proj, before)


def test_parts_of_the_users_arrays_are_solved_alone(acquired):
    data = acquired((9, 16, 16))
    sinograms = np.ascontiguousarray(data.proj.swapaxes(0, 1))
    volume = np.full((9, 16, 16), 7, np.float32)
    few = {"sinogram_order": True, "num_iter": 3, "algorithm": sirt}
    with pytest.raises(TomoinrError, match=r"split the slices .* ncore=1"):
        tomopy.recon(sinograms[2:6], data.theta, init_recon=volume[2:6], ncore=2, **few)
    found = tomopy.recon(sinograms[2:6], data.theta, init_recon=volume[2:6], ncore=1, **few)
    assert found.shape == (4, 16, 16)
    assert (volume[:2] == 7).all() and (volume[6:] == 7).all()


@pytest.mark.parametrize(
    ("how", "message"),
    [({"nchunk": 0}, "nchunk=0"), ({"accelerated": True, "ncore": 1}, "accelerated=True")],
)
def test_what_tomopy_cannot_hand_over_is_refused_by_name(acquired, how, message):
    data = acquired((9, 16, 16))
    with pytest.raises(TomoinrError, match=rf"{message}.*call tomopy\.recon"):
        tomopy.recon(data.proj, data.theta, algorithm=sirt, num_iter=2, **how)


def test_goes_on_from_init_recon(acquired):
    data = acquired()
    whole, half = (
        tomopy.recon(data.proj, data.theta, algorithm=sirt, num_iter=n) for n in (20, 10)
    )
    again = tomopy.recon(data.proj, data.theta, algorithm=sirt, num_iter=10, init_recon=half)
    assert off(again, whole) < 1e-5


def test_is_what_the_command_line_computes(acquired, tmp_path, monkeypatch):
    from tomoinr.cli import main

    data = acquired((6, 12, 12))
    series = TiltSeries(torch.from_numpy(data.proj), np.rad2deg(data.theta.astype(float)))
    stack = series.save(tmp_path / "stack.mrc")
    for solver, steps in (("sirt", 40), ("auto", 10)):
        command = f"tomoinr reconstruct {stack} --solver {solver} --steps {steps}"
        out = tmp_path / solver
        monkeypatch.setattr("sys.argv", [*command.split(), "--out", str(out)])
        with pytest.raises(SystemExit, match=r"^0$"):
            main()
        wanted = read(out / "volume.mrc")
        found = tomopy.recon(data.proj, data.theta, algorithm=Algorithm(solver=solver, steps=steps))
        assert off(found, wanted) < 1e-5, solver


def read(path):
    import mrcfile

    with mrcfile.open(path) as file:
        return file.data.copy()


@pytest.fixture(scope="module")
def shaken():
    """40 images of small blobs, moved by up to 1.5 pixels; the shifts (x, y)."""
    generator, tilts = torch.Generator().manual_seed(3), torch.linspace(-80, 80, 40)
    shift = 3 * (torch.rand(40, 2, generator=generator) - 0.5)
    shift -= shift.mean(0)
    grid = Grid((16, 24, 24), 1.0)
    views = place(Poses.of(tilts, shift=shift), (40, 16, 24), 1.0)
    images = blobs(grid, 0.8).integral(views.rays(Pixels.rows(views.shape)))[0]
    return images.numpy(), np.deg2rad(tilts.numpy()), shift.numpy()


def left(found, true, theta, along):
    """Root mean square of what shifts are off by, but for a moved specimen."""
    free = [np.ones_like(theta)] if along else [np.ones_like(theta), np.cos(theta), np.sin(theta)]
    wrong, moves = found - true, np.stack(free, 1)
    return float((wrong - moves @ np.linalg.lstsq(moves, wrong, rcond=None)[0]).std())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("align", "iters", "most"), [("align_joint", 8, 0.1), ("align_seq", 12, 0.15)]
)
def test_tomopy_aligns_better_with_us_than_with_its_own(shaken, align, iters, most):
    images, theta, shift = shaken

    def aligned(algorithm):
        given = {"iters": iters, "blur": False, "debug": False}
        _, sx, sy, _ = getattr(tomopy, align)(images.copy(), theta, algorithm=algorithm, **given)
        # TomoPy's x is the slice, ours the column.
        return left(sy, shift[:, 0], theta, False), left(sx, shift[:, 1], theta, True)

    ours, theirs = aligned(Algorithm(solver="tv", steps=20)), aligned("sirt")
    assert max(ours) < most
    assert max(ours) < max(theirs) / 2


def test_align_joint_says_what_to_use_where_one_iteration_is_too_few(shaken):
    images, theta, _ = shaken
    for algorithm in (inr, tv):
        with pytest.raises(TomoinrError, match=r"Algorithm\(solver='tv', steps=20\)"):
            tomopy.align_joint(images.copy(), theta, iters=2, algorithm=algorithm, debug=False)


def test_inr_finds_the_poses_by_itself(shaken):
    images, theta, shift = shaken
    results = []
    tomopy.recon(images, theta, algorithm=Algorithm(quality="fast", found=results.append))
    found = results[0].poses.shift.numpy()
    assert left(found[:, 0], shift[:, 0], theta, False) < 0.05
    assert left(found[:, 1], shift[:, 1], theta, True) < 0.05
