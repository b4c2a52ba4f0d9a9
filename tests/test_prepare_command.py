"""`tomoinr prepare`: what it writes, what it tells, and that it can be repeated."""

from pathlib import Path

import pytest
import torch
import typer

from tomoinr.builtin import mrc, preparations
from tomoinr.builtin.preparations import Background, Bin
from tomoinr.cli import prepare as command
from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.io import load, reading, save
from tomoinr.plugins import Plugins
from tomoinr.recipe import Recipe

PLUGINS = Plugins(mrc, preparations, installed=False)
ANGLES = (-60.0, -31.5, 0.0, 28.0, 57.0)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """In a folder of its own, with the built-in steps alone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "Plugins", lambda: PLUGINS)


@pytest.fixture
def series():
    """raw.mrc, and its angles beside it."""
    found = TiltSeries(5 + torch.rand(5, 17, 22), ANGLES, 1.75)
    save("raw.mrc", found, plugins=PLUGINS)
    return found


def run(*words):
    app = typer.Typer()
    app.command()(command.prepare)
    app(list(map(str, words)), standalone_mode=False)


def written(path, **said):
    return load(path, plugins=PLUGINS, **said)


def test_steps_are_carried_out_in_order(series, capsys):
    run("raw.mrc", "--out", "new.mrc", "--step", "bin:factor=2", "--step", "background:order=1")
    wanted = Background(Background.Options(order=1)).prepare(Bin(Bin.Options()).prepare(series))
    found = written("new.mrc")
    assert torch.equal(found.images, wanted.images)
    assert found.pixel_size == 3.5 and found.angles.tolist() == list(ANGLES)
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "raw.mrc: 5 images of 17 × 22, pixel size 1.75 Å"
    assert "angles from raw.rawtlt" in told and any("tilt axis" in line for line in told)
    assert told[-3:] == [
        "bin:factor=2.0",
        "background:order=1,width=0.1,sides=all",
        "wrote new.mrc: 5 images of 8 × 11, pixels of 3.5 Å, tilts -60° to 57°; "
        "the steps are in new.toml",
    ]


def test_steps_say_what_they_did(series, capsys):
    run("raw.mrc", "--out", "new.mrc", "--exclude", "1", "--step", "exclude:above=50.0")
    assert "images left out: 4" in capsys.readouterr().err.splitlines()
    assert written("new.mrc").angles.tolist() == [-60, 0, 28]


def test_what_was_done_can_be_repeated(series):
    run(
        "raw.mrc", "--out", "a.mrc", "--exclude", "0,2", "--step", "bin:factor=1.5", "--step", "log"
    )
    run("--recipe", "a.toml", "--out", "b.mrc")
    assert torch.equal(written("a.mrc").images, written("b.mrc").images)
    assert Path("a.toml").read_text() == Path("b.toml").read_text()
    recipe = Recipe.load("a.toml")
    assert recipe.data.stack == "raw.mrc" and recipe.data.angles == ANGLES
    assert recipe.data.exclude == "0,2" and recipe.data.pixel_size == 1.75
    assert [step.name for step in recipe.prepare] == ["bin", "log"]
    assert recipe.prepare[0].options == {"factor": 1.5}
    assert Path("a.toml").read_text().startswith("# Made by tomoinr ")


def test_a_recipe_is_carried_over_to_another_stack(series, tmp_path):
    """Its steps, before those that are named; its data belong to its own stack."""
    run("raw.mrc", "--out", "a.mrc", "--exclude", "0", "--step", "bin:factor=2")
    other = TiltSeries(torch.rand(4, 17, 22), [1, 2, 3, 4], 2)
    (tmp_path / "far").mkdir()
    save("far/other.mrc", other, plugins=PLUGINS)
    run("far/other.mrc", "--recipe", "a.toml", "--step", "background", "--out", "b.mrc")
    found = written("b.mrc")
    assert found.angles.tolist() == [1, 2, 3, 4] and found.pixel_size == 4
    assert [step.name for step in Recipe.load("b.toml").prepare] == ["bin", "background"]


def test_recipes_and_stacks_move_together_where_one_is_in_the_other_s_folder(series, tmp_path):
    (tmp_path / "far").mkdir()
    run("raw.mrc", "--step", "bin", "--out", "near.mrc")
    run("raw.mrc", "--step", "bin", "--out", "far/off.mrc")
    assert 'stack = "raw.mrc"' in Path("near.toml").read_text()
    assert Recipe.load("far/off.toml").data.stack == str(tmp_path / "raw.mrc")
    run("--recipe", "far/off.toml", "--out", "again.mrc")
    assert torch.equal(written("again.mrc").images, written("near.mrc").images)


def test_what_is_given_is_believed_before_the_recipe(series):
    run("raw.mrc", "--out", "a.mrc", "--exclude", "0", "--step", "bin")
    run("--recipe", "a.toml", "--pixel-size", "10", "--angles", "1:5:1", "--out", "b.mrc")
    found = written("b.mrc")
    assert found.pixel_size == 20 and found.angles.tolist() == [2, 3, 4, 5]


def test_an_oblique_or_lying_axis_is_told(series, capsys):
    run("raw.mrc", "--out", "a.mrc", "--tilt-axis", "-87", "--step", "bin:factor=1.0")
    told = capsys.readouterr().err.splitlines()
    assert (
        told[-1]
        == "its tilt axis is at 3° from y (--tilt-axis 3, where its format does not say so)"
    )
    wanted = written("raw.mrc", tilt_axis=-87).images
    assert torch.allclose(written("a.mrc", tilt_axis=3).images, wanted, atol=1e-4)


@pytest.mark.parametrize("few", [1, 2, 3])
def test_images_that_come_a_few_at_a_time_are_the_same(series, monkeypatch, few):
    Path("raw.rawtlt").write_text("-20\n-10\n0\n20\n20\n")  # two of the few may be alike
    run("raw.mrc", "--out", "a.mrc", "--step", "outliers", "--step", "bin", "--step", "background")
    monkeypatch.setattr(reading, "AT_ONCE", few * 4 * 17 * 22)
    run("--recipe", "a.toml", "--out", "b.mrc")
    assert torch.allclose(written("a.mrc").images, written("b.mrc").images, atol=1e-6)
    assert written("b.mrc").angles.tolist() == [-20, -10, 0, 20, 20]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["raw.mrc"], "name what is to be done"),
        (["--step", "bin"], "name the tilt series to prepare"),
        (["raw.mrc", "--step", "bun"], "no prepare is called 'bun'.*Did you mean 'bin'"),
        (["raw.mrc", "--step", "bin:factor=0"], "'factor' must be at least 1"),
        (["raw.mrc", "--step", "bin", "--exclude", "9"], "no image 9 to exclude"),
        (["raw.mrc", "--step", "log:incident=x"], "'incident' must be float"),
        (["none.mrc", "--step", "bin"], "no such file"),
        (["raw.mrc", "--step", "crop:rows=99"], "99 rows do not fit into 17"),
        (["--recipe", "none.toml"], "not a recipe"),
    ],
)
def test_mistakes_are_refused_and_leave_nothing(series, tmp_path, words, message):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(TomoinrError, match=message):
        run(*words, "--out", "new.mrc")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("taken", ["new.mrc", "new.toml", "new.rawtlt"])
def test_nothing_is_replaced_unless_forced(series, tmp_path, taken):
    (tmp_path / taken).write_text("mine")
    with pytest.raises(TomoinrError, match=f"{taken}: already exists"):
        run("raw.mrc", "--step", "bin", "--out", "new.mrc")
    assert (tmp_path / taken).read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["raw.mrc", "raw.rawtlt", taken])
    run("raw.mrc", "--step", "bin", "--out", "new.mrc", "--force")
    assert written("new.mrc").shape == (5, 8, 11)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (
            "new.xyz",
            r"^new\.xyz: no writer knows the suffix '\.xyz'; there are \.mrc, \.st, .*\.mrcs$",
        ),
        ("none/new.mrc", r"^none/new\.mrc: there is no such folder"),
        ("raw.mrc", "this is the data's own file"),
    ],
)
def test_where_it_goes_is_looked_at_before_the_work(series, monkeypatch, tmp_path, out, message):
    monkeypatch.setattr(command, "describe", lambda *_: pytest.fail("the work has begun"))
    before = sorted(tmp_path.iterdir())
    with pytest.raises(TomoinrError, match=message):
        run("raw.mrc", "--step", "bin", "--out", out, "--force")
    assert sorted(tmp_path.iterdir()) == before


def test_a_name_beside_it_is_told_with_the_way_out(series, tmp_path):
    (tmp_path / "new.toml").write_text("mine")
    with pytest.raises(TomoinrError, match=r"new\.toml: .* new\.mrc .* give it another stem"):
        run("raw.mrc", "--step", "bin", "--out", "new.mrc")


def test_an_unknown_pixel_size_stays_unknown(capsys):
    save("raw.mrc", TiltSeries(5 + torch.rand(5, 8, 9), ANGLES), plugins=PLUGINS)
    run("raw.mrc", "--out", "new.mrc", "--step", "background")
    told = capsys.readouterr().err
    assert "pixel size unknown" in told and "pixels of unknown size" in told
    assert "pixel_size" not in Path("new.toml").read_text()


def test_the_data_are_not_replaced_even_if_forced(series):
    with pytest.raises(TomoinrError, match="this is the data's own file"):
        run("raw.mrc", "--step", "bin", "--out", "raw.mrc", "--force")
    assert torch.equal(written("raw.mrc").images, series.images)
