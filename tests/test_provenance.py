"""A result says what it was made from, and can be made again: the same, or plainly not."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

import tomoinr
from tomoinr import TiltSeries, builtin, reconstruct
from tomoinr.api import execute
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.cli import info
from tomoinr.cli import rerun as again
from tomoinr.errors import TomoinrError
from tomoinr.io import save_reconstruction
from tomoinr.io.provenance import changed_inputs, changed_versions, read_provenance, sha256
from tomoinr.plugins import Plugins
from tomoinr.recipe import Recipe

RECIPE = {"solver": {"name": "sirt", "steps": 3}, "poses": "fixed", "run": {"seed": 5}}


@pytest.fixture(autouse=True)
def only_builtin(monkeypatch):
    """The program finds the built-in parts alone, whatever is installed."""
    for name in ("api", "io.reading", "io.saving", "cli.rerun"):
        monkeypatch.setattr(f"tomoinr.{name}.Plugins", lambda: Plugins(builtin, installed=False))


@pytest.fixture(scope="module")
def made(tmp_path_factory, plugins):
    """A stack, its angles, and a result."""
    folder = tmp_path_factory.mktemp("made")
    acquisition = Acquisition(tuple(range(-60, 61, 20)), dose=100)
    simulate("ellipsoids", (8, 8, 8), acquisition, seed=0).series().save(folder / "stack.mrc")
    recipe = RECIPE | {"data": {"stack": "stack.mrc"}, "output": {"folder": "result"}}
    execute(Recipe.parse(recipe).beside(folder), plugins=plugins)
    return folder


@pytest.fixture
def here(made, tmp_path, monkeypatch):
    """A copy of it all, in a folder to be in."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def rerun():
    """Runs the command; its outcome and all it told."""
    app = typer.Typer()
    app.command()(again.rerun)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def table(folder):
    return json.loads((folder / "provenance.json").read_text("utf-8"))


def rewrite(folder, **sections):
    (folder / "provenance.json").write_text(json.dumps(table(folder) | sections))


def test_all_that_a_result_depends_on_is_told(here):
    found = table(here / "result")
    assert found["seed"] == 5
    assert found["versions"]["torch"] == torch.__version__
    assert found["versions"]["numpy"] == np.__version__
    assert found["versions"]["tomoinr"] == tomoinr.__version__
    assert set(found["versions"]) == {"python", "tomoinr", "numpy", "scipy", "torch"}
    assert found["machine"]["device"] == "cpu" and found["machine"]["threads"] == "1"
    paths = {"stack": "../stack.mrc", "angles": "../stack.rawtlt", "recipe": "recipe.toml"}
    assert {name: known["path"] for name, known in found["inputs"].items()} == paths
    for known in found["inputs"].values():
        content = (here / "result" / known["path"]).read_bytes()
        assert known["sha256"] == hashlib.sha256(content).hexdigest()


def test_who_provides_the_parts_is_told(here, monkeypatch):
    plugins = Plugins(builtin, installed=False)
    for part in plugins.parts():
        object.__setattr__(part, "provider", f"by-{part.kind}-{part.name} 1.2")
    series = TiltSeries.load("stack.mrc")
    result = reconstruct(series, solver="sirt", poses="fixed", steps=1, plugins=plugins)
    save_reconstruction("other", result, plugins=plugins)
    parts = {"by-volume-voxels", "by-poses-fixed", "by-projector-slices", "by-solver-sirt"}
    versions = table(Path("other"))["versions"]
    assert {name for name in versions if name.startswith("by-")} == parts


def test_poses_are_an_input_and_other_angles_are_not(here):
    data = {"stack": "stack.mrc", "poses": "result/poses.json", "angles": "-30:30:10"}
    execute(Recipe.parse(RECIPE | {"data": data, "output": {"folder": "second"}}))
    inputs = table(here / "second")["inputs"]
    assert set(inputs) == {"stack", "poses", "recipe"}  # not the .rawtlt, which was not used
    assert inputs["poses"]["sha256"] == sha256(here / "result" / "poses.json")


def test_a_series_in_memory_has_no_inputs(tmp_path):
    series = TiltSeries(torch.rand(4, 6, 6), torch.arange(4.0))
    reconstruct(series, solver="sirt", poses="fixed", steps=1).save(tmp_path / "out")
    assert set(table(tmp_path / "out")["inputs"]) == {"recipe"}


def test_the_checksum_of_a_folder_is_of_names_and_contents(tmp_path):
    def made(name, files):
        for inner, content in files.items():
            path = tmp_path / name / inner
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return sha256(tmp_path / name)

    files = {"a": b"1", "b/c": b"23"}
    whole = made("one", files)
    assert whole == made("two", files)
    others = ({"a": b"1", "b/d": b"23"}, {"a": b"1", "b/c": b"24"}, {"a": b"12", "b/c": b"3"})
    assert len({whole, *(made(f"o{i}", other) for i, other in enumerate(others))}) == 4


def test_an_input_that_has_gone_costs_no_result(here):
    result = reconstruct(TiltSeries.load("stack.mrc"), solver="sirt", poses="fixed", steps=1)
    os.remove("stack.mrc")
    result.save("late")
    assert "stack" not in table(here / "late")["inputs"]


@pytest.mark.parametrize("given", ["result", "result/recipe.toml", "result/volume.mrc"])
def test_the_same_recipe_gives_the_same_volume(here, rerun, given):
    ended = rerun(given)
    assert ended.exit_code == 0 and "the volume is bit-identical" in ended.output
    one, again = (here / folder / "volume.mrc" for folder in ("result", "result-again"))
    assert one.read_bytes() == again.read_bytes()


def test_it_goes_where_it_is_told_and_replaces_nothing_unasked(here, rerun):
    assert rerun("result", "--out", "new").exit_code == 0
    assert (here / "new" / "volume.mrc").is_file() and not (here / "result-again").exists()
    assert "already exists" in str(rerun("result", "--out", "new").exception)
    assert rerun("result", "--out", "new", "--force").exit_code == 0
    assert "already exists" in str(rerun("result", "--out", "result").exception)


def test_a_moved_project_is_repeated_where_it_is(here, rerun, monkeypatch, tmp_path_factory):
    there = tmp_path_factory.mktemp("moved") / "project"
    here.rename(there)
    monkeypatch.chdir(there.parent)
    assert "bit-identical" in rerun("project/result").output
    assert (there / "result-again" / "volume.mrc").is_file()


def change_stack():
    with open("stack.mrc", "r+b") as file:
        file.seek(1024)
        file.write(b"\0\0\0\x41")


def change_angles():
    Path("stack.rawtlt").write_text("".join(f"{a}\n" for a in range(-61, 60, 20)))


def change_recipe():
    text = Path("result/recipe.toml").read_text("utf-8")
    Path("result/recipe.toml").write_text(text.replace("steps = 3", "steps = 2"))


@pytest.mark.parametrize(
    ("change", "same"), [(change_stack, False), (change_angles, True), (change_recipe, False)]
)
def test_what_has_changed_is_told_and_refused(here, rerun, change, same):
    change()
    what = change.__name__.removeprefix("change_")
    error = rerun("result").exception
    assert isinstance(error, TomoinrError) and f"{what}: " in str(error)
    assert str(error).endswith("--anyway") and "\n" not in str(error)
    assert not (here / "result-again").exists()
    ended = rerun("result", "--anyway")
    assert f"{what}: " in ended.output and "has changed (its sha256 is another)" in ended.output
    verdict = "bit-identical" if same else "the volume differs by "
    assert ended.exit_code == 0 and verdict in ended.output


def test_a_missing_stack_is_told(here, rerun):
    os.remove("stack.mrc")
    assert "stack.mrc is not there any more" in str(rerun("result").exception)


def test_other_versions_are_told_and_not_refused(here, rerun):
    found = table(here / "result")
    versions = found["versions"] | {"torch": "1.0", "some-plugin": "3"}
    rewrite(here / "result", versions=versions, machine=found["machine"] | {"threads": "64"})
    told = rerun("result").output
    assert f"torch: 1.0 then, {torch.__version__} now" in told
    assert "some-plugin: 3 then, nothing now" in told and "threads: 64 then, 1 now" in told
    assert "bit-identical" in told


def test_nothing_is_told_where_nothing_has_changed(here):
    then = read_provenance(here / "result")
    assert list(changed_versions(then, then)) == list(changed_inputs(then, here / "result")) == []


def test_results_of_older_versions_can_be_repeated(here, rerun):
    os.remove("result/provenance.json")
    told = rerun("result").output
    assert "unknown what has changed" in told and "bit-identical" in told


def test_another_shape_and_a_missing_volume_are_told(here, rerun):
    change_recipe()
    text = Path("result/recipe.toml").read_text("utf-8")
    Path("result/recipe.toml").write_text(text.replace("depth = 8", "depth = 6"))
    assert (
        "another volume: (8, 6, 8) voxels, (8, 8, 8) before" in rerun("result", "--anyway").output
    )
    os.remove("result/volume.mrc")
    assert "not compared: there is no" in rerun("result", "--anyway", "--force").output


def test_what_was_made_of_objects_of_python_is_not_repeated(here, rerun):
    solver = builtin.Sirt(builtin.Sirt.Options(steps=1))
    reconstruct(TiltSeries.load("stack.mrc"), solver=solver, poses="fixed").save("made")
    assert "it names no solver" in str(rerun("made").exception)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"versions": 1}', "[" * 100_000])
def test_a_damaged_record_is_one_line(here, rerun, text):
    (here / "result" / "provenance.json").write_text(text)
    error = rerun("result").exception
    assert isinstance(error, TomoinrError) and "no record of provenance" in str(error)
    assert "\n" not in str(error) and len(str(error)) < 300


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (".", "no recipe.toml"),
        ("nothing", "no result to repeat"),
        ("stack.mrc", "no recipe.toml"),
        ("my.toml", "tomoinr run my.toml"),
    ],
)
def test_what_is_no_result_is_refused(here, rerun, given, says):
    assert says in str(rerun(given).exception)


def test_info_tells_of_a_result(here):
    app = typer.Typer()
    app.command()(info.info)
    told = " ".join(CliRunner().invoke(app, ["result"]).stdout.split())
    for part in ("volume of 8 × 8 × 8", "solver sirt", "../stack.mrc", "steps 3, last loss"):
        assert part in told, told
    assert f"torch {torch.__version__}" in told and "angles" not in told
    found = json.loads(CliRunner().invoke(app, ["result", "--json"]).stdout)
    assert found["kind"] == "volume" and found["result"]["recipe"]["run"]["seed"] == 5
    assert found["result"]["provenance"]["inputs"]["stack"]["path"] == "../stack.mrc"
