"""`tomoinr recipe`: what init writes is sound and complete; check finds what run would refuse."""

import dataclasses
import json
import shutil
import tomllib

import pytest

from tomoinr.plugins import Plugins
from tomoinr.recipe import PARTS, Recipe


@pytest.fixture
def here(simulated, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(simulated, "sim")
    return tmp_path


def parts():
    return [(part.kind, part.name) for part in Plugins().parts() if part.kind in PARTS]


@pytest.mark.parametrize(("kind", "name"), parts())
def test_init_writes_every_option_of_any_part(program, here, kind, name):
    assert program("recipe", "init", f"--{kind}", name)[0] == 0
    text = (here / "recipe.toml").read_text("utf-8")
    recipe = Recipe.parse(tomllib.loads(text))
    chosen = getattr(recipe, kind)
    assert chosen.name == name
    cls = Plugins().find(kind, name).cls
    section = text.split(f"\n[{kind}]\n")[1].split("\n[")[0]
    for field in dataclasses.fields(cls.Options):
        set_, unset = f"\n{field.name} = " in section, f"\n# {field.name} =" in section
        assert set_ != unset and field.metadata["meaning"].split()[0] in section
    full = Recipe.parse({kind: name}).resolve(Plugins())
    assert getattr(recipe, kind).options == getattr(full, kind).options


def test_a_recipe_from_init_is_sound_and_runs(program, here):
    assert program("recipe", "init", "sim/stack.mrc", "--solver", "sirt", "--out", "r.toml")[0] == 0
    text = (here / "r.toml").read_text("utf-8")
    assert "#   int, at least 1; default 50" in text and 'stack = "sim/stack.mrc"' in text
    assert max(map(len, text.splitlines())) <= 100
    code, printed, _ = program("recipe", "check", "r.toml")
    assert code == 0 and "would run: 13 images of 24 × 24" in printed
    few = ("--steps", 2, "--trust", "none")
    assert program("run", "r.toml", *few)[0] == 0
    assert (here / "r-results/volume.mrc").is_file()
    code, printed, _ = program("recipe", "check", "r.toml")  # now its results are there
    assert code == 2 and "already exists" in printed
    assert program("recipe", "init", "--out", "r.toml")[0] == 2


def test_a_preset_is_the_default_that_is_told(program, here):
    assert program("recipe", "init", "--quality", "fast")[0] == 0
    text = (here / "recipe.toml").read_text("utf-8")
    assert "rounds = 2" in text and "default 2\nrounds = 2" in text


BAD = {
    "two sections": (
        "[solver]\nname='tvv'\n[volume]\nname='voxels'\nstart='a'\n[run]\ndepth=0\n[dta]\n",
        ["Did you mean 'data'?", "Did you mean 'tv'?", "must be float", "must be at least 1"],
    ),
    "no data": ("", ["names no tilt series"]),
    "no file": ("[data]\nstack='none.mrc'", ["none.mrc: there is no such file"]),
    "angles": ("[data]\nstack='sim/stack.mrc'\nangles='-60:60:20'", ["13 images but 7 angles"]),
    "poses": ("[data]\nstack='sim/stack.mrc'\nposes='none.json'", ["no such file"]),
    "parts": (
        "[data]\nstack='sim/stack.mrc'\n[solver]\nname='sirt'\n[poses]\nname='rigid'\n",
        ["sirt keeps poses as they are, but rigid learns them"],
    ),
    "depth": ("[data]\nstack='sim/stack.mrc'\n[run]\ndepth=900", ["more than 16 times as deep"]),
    "no TOML": ("[", ["not a recipe"]),
}


@pytest.mark.parametrize("name", BAD)
def test_check_finds_every_problem_and_says_each_in_a_line(program, here, name):
    if name == "parts" and not Plugins().has("poses", "rigid"):
        pytest.skip("needs tomoinr-poses")
    text, says = BAD[name]
    (here / "r.toml").write_text(text)
    before = sorted(here.rglob("*"))
    code, printed, _ = program("recipe", "check", "r.toml")
    lines = printed.splitlines()
    assert code == 2 and len(lines) == len(says)
    for words in says:
        assert any(words in line for line in lines)
    assert sorted(here.rglob("*")) == before
    code, printed, _ = program("recipe", "check", "r.toml", "--json")
    assert code == 2 and json.loads(printed)["problems"] == lines


def test_what_check_finds_run_refuses_too(program, here):
    for text, _ in BAD.values():
        (here / "r.toml").write_text(text)
        assert program("run", "r.toml")[0] == 2
