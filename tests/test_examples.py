"""What examples/ shows works: every script at small size, the recipe, and the smallest plugin."""

import csv
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from statistics import fmean

import pytest

from tomoinr.builtin.losses import WEIGHTS
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.cli import main

EXAMPLES = Path(__file__).parents[1] / "examples"
SWEEPS = {"sweep_wedge_and_dose": "method", "sweep_poses": "method", "compare_losses": "loss"}
APART = {*SWEEPS, "real_data"}  # which takes a file
SCRIPTS = sorted(path.stem for path in EXAMPLES.glob("*.py") if path.stem not in APART)
DATA = Path(os.environ.get("TOMOINR_DATA", Path(__file__).parents[2] / "shared" / "data"))
TOMOINR = Path(sys.executable).with_name("tomoinr")
SMALL = ("--size", "20", "--steps", "3")
QUICK = ("--size", "12", "--quick", "--out", "made")


def call(*command: str | Path, cwd: Path, **variables: str) -> str:
    """What a command prints; it must end well."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", **variables}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small tilt series with its angles beside it."""
    acquisition = Acquisition(tuple(range(-60, 61, 3)), dose=50)
    series = simulate("nanoparticles", (16, 16, 16), acquisition, seed=0).series()
    return series.save(tmp_path_factory.mktemp("data") / "stack.mrc")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder that the smallest plugin is installed in, as PYTHONPATH takes it."""
    pytest.importorskip("hatchling", reason="a plugin is built by hatchling")
    target = tmp_path_factory.mktemp("site")
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    pip = (sys.executable, "-m", "pip", "install", "--quiet", *offline, "--target", target)
    call(*pip, EXAMPLES / "smallest_plugin", cwd=target)
    return str(target)


@pytest.fixture
def script(tmp_path, monkeypatch):
    """Runs an example by name, in a folder of its own."""

    def run(name: str, *arguments: str) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *arguments])
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")

    return run


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_runs(name, script, capsys):
    script(name, *SMALL)
    assert capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "tooth.h5").is_file(), reason="real data are not there")
def test_a_real_tooth_is_seen_better_than_by_back_projection(script, tmp_path, capsys):
    script("real_data", str(DATA / "tooth.h5"), "--columns", "64", "--out", "made")
    told = dict(re.findall(r"(±60°, [\w-]+): correlation (\S+)", capsys.readouterr().out))
    ours, plain = float(told["±60°, tomoinr"]), float(told["±60°, back-projected"])
    assert ours > 0.95 > plain
    assert (tmp_path / "made" / "slices.png").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("name", SWEEPS)
def test_sweep_leaves_a_picture_and_a_table(name, script, tmp_path):
    script(name, *QUICK)
    (picture,) = tmp_path.glob("made/*.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    (table,) = tmp_path.glob("made/*.csv")
    with table.open() as file:
        rows = [(row[SWEEPS[name]], float(row["ssim"])) for row in csv.DictReader(file)]
    if name == "compare_losses":
        assert {loss for loss, _ in rows} == set(WEIGHTS)
    else:
        ours, sirt = ([ssim for who, ssim in rows if who.startswith(w)] for w in ("auto", "SIRT"))
        assert fmean(ours) > fmean(sirt) + 0.02


def test_recipe_runs(stack, tmp_path, monkeypatch):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text((EXAMPLES / "recipe.toml").read_text("utf-8"), "utf-8")
    for name in ("stack.mrc", "stack.rawtlt"):
        (tmp_path / name).symlink_to(stack.with_name(name))
    monkeypatch.setattr(sys, "argv", ["tomoinr", "run", str(recipe), "--steps", "2"])
    with pytest.raises(SystemExit, match=r"^0$"):
        main()
    assert (tmp_path / "result" / "volume.mrc").is_file()


def test_plugin_is_listed(site, tmp_path):
    (line,) = (
        line
        for line in call(TOMOINR, "plugins", cwd=tmp_path, PYTHONPATH=site).splitlines()
        if " mlem " in line
    )
    assert line.split()[:4] == ["solver", "mlem", "tomoinr-mlem", "0.1"]


def test_plugin_reconstructs(site, stack, tmp_path):
    command = f"reconstruct {stack} --solver mlem --steps 30 --out result"
    call(TOMOINR, *command.split(), cwd=tmp_path, PYTHONPATH=site)
    lines = (tmp_path / "result" / "history.csv").read_text("utf-8").splitlines()
    losses = [float(line.split(",")[1]) for line in lines[1:]]
    assert len(losses) == 30
    assert losses[-1] < 0.1 * losses[0]


def test_plugin_keeps_its_contract(site, tmp_path):
    tests = EXAMPLES / "smallest_plugin" / "tests"
    alone = ("-q", "-c", os.devnull, "--rootdir", tests, "-p", "no:cacheprovider")
    printed = call(sys.executable, "-m", "pytest", *alone, tests, cwd=tmp_path, PYTHONPATH=site)
    assert "10 passed" in printed
