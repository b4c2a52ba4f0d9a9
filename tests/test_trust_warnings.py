"""Warnings: none about a sound result, and each about the case made for it."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

import tomoinr
from tomoinr import builtin, cli
from tomoinr.builtin.phantoms import PHANTOMS
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.data import TiltSeries
from tomoinr.geometry import Poses
from tomoinr.plugins import Plugins
from tomoinr.trust import FILES, assess, filled, residuals, warnings
from tomoinr.trust.image_doubts import saturated

TILTS = tuple(range(-60, 61, 3))


@pytest.fixture(scope="module")
def judge(plugins):
    """Warnings about a simulated case: images spoiled, or an acquisition or a solver to blame."""

    def run(phantom="nanoparticles", spoil=None, size=16, solver="tv", angles=TILTS, **how):
        acquisition = Acquisition(angles, **{"dose": 50.0} | how)
        series = simulate(phantom, (size,) * 3, acquisition, seed=0).series()
        if spoil:
            series = replace(series, images=spoil(series.images.clone()))
        result = tomoinr.reconstruct(
            series, quality="fast", poses="fixed", solver=solver, plugins=plugins
        )
        return assess(result, plugins=plugins).warnings

    return run


def one(change, view=9):
    """Spoils a single image."""

    def spoil(images):
        images[:, view] = change(images[:, view])
        return images

    return spoil


@pytest.mark.parametrize(
    ("phantom", "dose"),
    [*((name, 50.0) for name in PHANTOMS), ("nanoparticles", 3.0), ("asymmetric", np.inf)],
)
def test_a_sound_result_gives_no_warning(judge, phantom, dose):
    assert judge(phantom, size=20, dose=dose) == ()


CASES = {
    "blank": ({"spoil": one(lambda x: 0 * x + x.mean())}, ["Blank: section 9 (-33°)", "Badly"]),
    "dark": ({"spoil": one(lambda x: 0 * x)}, ["Blank: section 9 (-33°)", "Badly explained"]),
    "moved": ({"spoil": one(lambda x: x.roll(2, -1))}, ["Badly explained: section 9 (-33°)"]),
    "saturated": (
        {"spoil": lambda x: x.clamp(max=0.4 * float(x.max())), "size": 20},
        ["Saturated: in sections"],
    ),
    "background": ({"background": 0.5}, ["Mass outside the box: the left and right borders"]),
    "unsteady": ({"gain_drift": 0.2}, ["The images' total brightness varies by 1"]),
    "narrow": ({"angles": tuple(range(-30, 31, 3))}, ["The tilts span only 60°: 67%"]),
    "sparse": ({"angles": tuple(range(-60, 61, 12))}, ["Too few tilts: neighbours are up to 12°"]),
    "no prior": (
        {"solver": "fbp", "phantom": "core_shell"},
        ["does not explain the images", "Unfilled wedge"],
    ),
    "misaligned": (
        {"shift": 2.0, "size": 24},
        ["does not explain the images", "disagree even where they measured", "in the wedge"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_told(judge, case):
    how, expected = CASES[case]
    told = judge(**how)
    assert all(any(words in line for line in told) for words in expected), told
    assert len(told) <= len(expected) + 1
    assert not any("\n" in line for line in told)


@pytest.fixture(scope="module")
def sound(plugins):
    """A sound result, with what is needed to look at it under other poses."""
    series = simulate("nanoparticles", (16,) * 3, Acquisition(TILTS, dose=50), seed=0).series()
    return tomoinr.reconstruct(series, solver="tv", poses="fixed", plugins=plugins)


def about_poses(result, tilt=0.0, rotation=0.0, dx=0.0, dy=0.0):
    """Warnings, were these corrections what alignment found; the fit is that of the true poses."""
    angles = result.series.angles
    shift = torch.stack(
        [torch.as_tensor(d, dtype=angles.dtype).expand_as(angles) for d in (dx, dy)]
    )
    poses = Poses.of(angles + tilt, rotation, 0.0, shift.T)
    tilts = result.poses.angles().tilt.numpy()
    fit, wedge = residuals(result), filled(result.voxels, tilts)
    return warnings(replace(result, poses=poses), fit, wedge)


def bump(size, view=7):
    """One image unlike the others, of whose corrections some are always there."""
    values = 0.3 * torch.randn(len(TILTS), generator=torch.Generator().manual_seed(3)).double()
    values[view] = size
    return values


def test_ordinary_corrections_give_no_warning(sound):
    assert about_poses(sound) == ()
    smooth = torch.tensor(TILTS).double().deg2rad()
    assert about_poses(sound, dx=3 * smooth.sin() + bump(0.3), dy=bump(0.5), rotation=5.0) == ()
    assert about_poses(sound, tilt=0.3 * bump(0.2), rotation=85 + bump(0.1)) == ()


@pytest.mark.parametrize(
    ("corrections", "says"),
    [
        ({"dx": bump(3.0)}, "Odd poses: the shift along x of section 7 (-39°) differs"),
        ({"dy": bump(-3.0)}, "Odd poses: the shift along y of section 7 (-39°) differs"),
        ({"rotation": bump(3.0)}, "Odd poses: the in-plane rotation of section 7 (-39°) differs"),
        ({"tilt": bump(3.0)}, "Odd poses: the tilt correction of section 7 (-39°) differs"),
        ({"dy": 5.0}, "Poses at their limit: the shift along y of sections 0 (-60°), 1"),
        ({"tilt": -0.04 * torch.tensor(TILTS)}, "Tilt corrections grow with the tilt, by -4.8°"),
    ],
)
def test_suspicious_poses_are_told(sound, corrections, says):
    (told,) = about_poses(sound, **corrections)
    assert told.startswith(says)


def test_few_counts_are_no_saturation():
    """Counts share their values, the largest too; detectors cut off what is not rare."""
    counts = torch.poisson(torch.full((40, 64, 64), 0.7), torch.Generator().manual_seed(0))
    series = TiltSeries(counts, torch.arange(40.0))
    assert not list(saturated(series))
    assert not list(saturated(replace(series, images=counts.clamp(max=1)[None])))  # 0 or 1
    bright = torch.poisson(40 * torch.rand(40, 64, 64), torch.Generator().manual_seed(0))
    (told,) = saturated(replace(series, images=bright.clamp(max=35)[None]))
    assert "sections 0 (0°), 1 (1°)" in told and " more many pixels hold" in told


@pytest.fixture
def program(monkeypatch, tmp_path, capsys):
    """Runs `tomoinr reconstruct` on a small stack in a folder of its own."""
    for name in ("api", "io.reading", "io.saving", "trust.again"):
        monkeypatch.setattr(f"tomoinr.{name}.Plugins", lambda: Plugins(builtin, installed=False))
    monkeypatch.chdir(tmp_path)
    acquisition = Acquisition(tuple(range(-60, 61, 12)), dose=50)
    simulate("nanoparticles", (16,) * 3, acquisition, seed=0).series().save("stack.mrc")

    def run(*arguments):
        command = ["reconstruct", "stack.mrc", "--solver", "tv", "--out", "out"]
        monkeypatch.setattr(sys, "argv", ["tomoinr", *command, *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        written = {path.name for path in (tmp_path / "out").glob("*")}
        return ended.value.code, capsys.readouterr().err, written & set(FILES)

    return run


def test_the_program_judges_what_it_made(program, tmp_path):
    code, told, written = program()
    assert (code, written) == (0, {"trust.json"})
    assert "warning: Too few tilts: neighbours are up to 12° apart" in told
    warned = json.loads((tmp_path / "out/trust.json").read_text("utf-8"))["warnings"]
    assert len(warned) == told.count("warning: ") == 1
    assert program()[0] == 2  # nothing is replaced unasked
    assert program("--force", "--trust", "full")[::2] == (0, set(FILES))
    assert program("--force")[2] == {"trust.json"}  # not the uncertainty of another result


def test_the_program_need_not_judge(program):
    code, told, written = program("--trust", "none")
    assert (code, written) == (0, set()) and "warning" not in told
