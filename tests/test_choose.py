"""The race of representations: the usual one is kept unless another is clearly better."""

import json
from collections.abc import Mapping
from types import SimpleNamespace

import numpy as np
import pytest

from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.geometry import Poses
from tomoinr.recipe import Choice, Recipe
from tomoinr.trust import HeldOut, choose
from tomoinr.trust.race import RUNNERS, _every

HELD_OUT = "tomoinr.trust.race.held_out"
SIRT = {"solver": {"name": "sirt", "steps": 20}}
FEW = {"solver": {"name": "sirt", "steps": 1}}


def series():
    made = simulate("nanoparticles", (16, 16, 16), Acquisition(tuple(range(-60, 61, 6))), seed=0)
    return made.series()


def recorded(images):
    return Poses.of(images.angles.float())


def told(name: str, behind: float, error: float) -> HeldOut:
    return HeldOut(name, 1 + behind, 0.1, behind, error, 1.0, np.ones(3))


@pytest.mark.parametrize(
    ("behind", "error", "chosen"), [(0.0, 0.0, "a"), (0.1, 0.06, "a"), (0.1, 0.04, "b")]
)
def test_the_first_is_kept_unless_it_is_clearly_beaten(behind, error, chosen, monkeypatch, plugins):
    ranked = sorted((told("a", behind, error), told("b", 0.0, 0.0)), key=lambda one: one.misfit)
    monkeypatch.setattr(HELD_OUT, lambda *_: tuple(ranked))
    images = series()
    choices = {"a": SIRT, "b": FEW}
    found = choose(images, choices, recorded(images), plugins=plugins)
    assert found.name == chosen
    assert found.options == {"quality": "fast", **choices[chosen]}


def test_what_is_clearly_worse_loses_wherever_it_stands(plugins):
    images = series()
    for choices in ({"few": FEW, "sirt": SIRT}, {"sirt": SIRT, "few": FEW}):
        found = choose(images, choices, recorded(images), plugins=plugins)
        assert found.name == "sirt" == found.ranked[0].name


def test_only_what_is_installed_runs(monkeypatch, plugins):
    seen: list[Mapping[str, object]] = []

    def looked(_, runs, *__):
        seen.append(runs)
        return (told("voxels", 0.0, 0.0),)

    monkeypatch.setattr(HELD_OUT, looked)
    images = series()
    choose(images, start=recorded(images), plugins=plugins)  # the built-in parts alone
    assert seen == [{"voxels": {"quality": "fast"}}]
    assert next(iter(RUNNERS)) == "voxels"


@pytest.mark.parametrize(("images", "every"), [(61, 8), (41, 8), (21, 5), (9, 2), (5, 2)])
def test_few_images_are_held_out_but_enough(images, every):
    assert _every(images) == every


@pytest.mark.parametrize("best", ["voxels", "kplanes"])
def test_the_command_writes_a_recipe_of_the_choice(best, program, simulated, tmp_path, monkeypatch):
    pytest.importorskip("tomoinr_inr")
    monkeypatch.chdir(tmp_path)
    (other,) = {"voxels", "kplanes"} - {best}
    ranked = (told(best, 0.0, 0.0), told(other, 0.5, 0.1))
    monkeypatch.setattr(HELD_OUT, lambda *_: ranked)
    monkeypatch.setattr("tomoinr.trust.race.reconstruct", lambda *_, **__: SimpleNamespace(poses=0))
    images = simulated / "stack.mrc"
    words = ("choose", images, "--volume", "kplanes", "--volume", "voxels", "--out", "a.toml")
    words += ("--angles", "-60:60:10", "--pixel-size", "2", "--exclude", "0")
    code, printed, error = program(*words, "--json")
    assert (code, error) == (0, "")
    found = json.loads(printed)
    assert [found["chosen"], found["ranked"][1]["beaten"]] == [best, True]
    recipe = Recipe.load("a.toml")
    assert recipe.volume == (None if best == "voxels" else Choice("kplanes"))
    assert recipe.data.stack == str(images.resolve())
    data = recipe.data
    assert (data.angles, data.pixel_size, data.exclude) == ("-60:60:10", 2.0, "0")
    code, _, error = program(*words)
    assert code == 2 and "a.toml" in error


def test_words_of_the_command_line_are_volumes(program, simulated):
    code, _, error = program("choose", simulated / "stack.mrc", "--volume", "siern")
    assert code == 2 and "siern" in error
