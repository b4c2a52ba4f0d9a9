"""The program: what its commands write, and one line for every mistake."""

import csv
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import mrcfile
import numpy as np
import pytest

from tomoinr import builtin, hookimpl
from tomoinr.plugins import Plugins

PROGRAM = Path(sys.executable).with_name("tomoinr")
RESULTS = [
    *("history.csv", "poses.json", "provenance.json", "recipe.toml", "report.html"),
    *("trust.json", "volume.mrc"),
]
IO = ("io.poses", "io.reading", "io.saving")
DATA = ["stack.mrc", "stack.rawtlt", "truth.json", "truth.mrc"]
SIMULATED = sorted([*DATA, "stack.provenance.json"])


@pytest.fixture(autouse=True)
def only_builtin(monkeypatch):
    """The program finds the built-in parts alone, whatever is installed."""
    modules = ("api", *IO, "cli.align", "cli.demo", "cli.parts", "cli.prepare", "cli.rerun")
    for name in modules:
        monkeypatch.setattr(f"tomoinr.{name}.Plugins", lambda: Plugins(builtin, installed=False))


@pytest.fixture
def tomoinr(program):
    """Runs a command in this process; returns exit code, stdout and stderr."""
    return program


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def stack(path, images, angles=None, pixel_size=None):
    """A stack as mrcfile alone writes it, and its angles beside it."""
    with mrcfile.new(path, overwrite=True) as file:
        file.set_data(np.asarray(images, np.float32))
        file.set_image_stack()
        if pixel_size is not None:
            file.voxel_size = pixel_size
    if angles is not None:
        path.with_suffix(".rawtlt").write_text("".join(f"{a}\n" for a in angles))
    return path


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to be in, with a sound stack of three images."""
    monkeypatch.chdir(tmp_path)
    images = np.random.default_rng(0).random((3, 5, 6)) + 1
    stack(tmp_path / "stack.mrc", images, (-40, 0, 40), 2.0)
    return tmp_path


def volume(folder):
    return mrcfile.read(folder / "volume.mrc")


def test_the_program_itself(tmp_path):
    """As installed, from a shell: the only test that starts it."""

    def run(*arguments):
        return subprocess.run(
            [PROGRAM, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=120
        )

    wrong = run("reconstruct", "none.mrc", "--out", "out")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr == "tomoinr: none.mrc: there is no such file\n"
    right = run("simulate", "--size", "16", "--out", "sim")
    assert (right.returncode, right.stderr) == (0, "")
    assert names(tmp_path / "sim") == SIMULATED


def test_demo_compares_the_methods(tomoinr, tmp_path):
    scores = tmp_path / "scores.json"
    out = tmp_path / "demo"
    code, printed, _ = tomoinr("demo", "--size", 24, "--out", out, "--json", scores)
    assert code == 0
    volumes = [f"{name}.mrc" for name in ("sirt", "tomoinr", "sirt_aligned")]
    assert names(out) == sorted([*DATA, "demo.provenance.json", "comparison.png", *volumes])
    methods = json.loads(scores.read_text())["methods"]
    assert list(methods) == ["sirt", "tomoinr", "sirt_aligned"]
    assert "SIRT takes the images as they are" in printed and "missing wedge" in printed
    for name, method in methods.items():
        assert set(method) == {"ssim", "psnr", "seconds"}
        assert name.replace("_", ", ") in printed
        assert 0.5 < method["ssim"] <= 1 and method["psnr"] > 15 and method["seconds"] > 0
    assert mrcfile.read(out / "tomoinr.mrc").shape == (24, 24, 24)
    assert tomoinr("demo", "--size", 24, "--out", out)[0] == 2  # nothing is replaced unasked


def test_simulate_writes_data_and_truth(tomoinr, tmp_path):
    options = ("--size", 16, "--angles=-50:50:10", "--phantom", "ellipsoids", "--rotation", 1)
    for seed, folder in ((4, "a"), (4, "b"), (5, "c")):
        assert tomoinr("simulate", *options, "--seed", seed, "--out", tmp_path / folder)[0] == 0
        assert names(tmp_path / folder) == SIMULATED
    one, same, other = ((tmp_path / f / "stack.mrc").read_bytes() for f in "abc")
    assert one == same != other
    assert mrcfile.read(tmp_path / "a" / "stack.mrc").shape == (11, 16, 16)
    truth = json.loads((tmp_path / "a" / "truth.json").read_text())
    assert truth["phantom"] == "ellipsoids" and truth["dose"] == 50 and len(truth["poses"]) == 11
    assert truth["axis"] == 0 and all(pose["gain"] == 1 for pose in truth["poses"])
    angles = [float(a) for a in (tmp_path / "a" / "stack.rawtlt").read_text().split()]
    assert angles == [pose["angle"] for pose in truth["poses"]] == list(range(-50, 51, 10))


def test_reconstruct_writes_all_and_its_recipe_does_it_again(tomoinr, here):
    code, printed, told = tomoinr(
        "reconstruct", "stack.mrc", "--out", "new/out", "--steps", 4, "--depth", 3, "--seed", 7
    )
    assert (code, printed) == (0, "")
    assert names(here / "new/out") == RESULTS
    assert "3 images of 5 × 6, pixels of 2 Å, tilts -40° to 40°" in told
    assert volume(here / "new/out").shape == (5, 3, 6)
    with (here / "new/out/history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["1", "2", "3", "4"]
    assert all(np.isfinite(float(row["loss"])) for row in rows)
    recipe = tomllib.loads((here / "new/out/recipe.toml").read_text())
    assert recipe["run"] == {
        "quality": "default", "align": True, "depth": 3, "seed": 7, "exact": False,
    }  # fmt: skip
    assert recipe["solver"]["steps"] == 4 and recipe["volume"] == {"name": "voxels", "start": 0.0}
    assert recipe["prior"] == [] and recipe["solver"]["name"] == "auto"
    # From another folder, and with the same numbers.
    assert tomoinr("run", here / "new/out/recipe.toml", "--out", "again")[0] == 0
    assert np.array_equal(volume(here / "again"), volume(here / "new/out"))
    again = tomllib.loads((here / "again/recipe.toml").read_text())
    assert recipe["data"] == {
        "stack": "../../stack.mrc", "angles": [-40, 0, 40], "pixel_size": 2.0,
        "tilt_axis": 0.0, "exclude": "",
    }  # fmt: skip
    assert again == recipe | {"data": recipe["data"] | {"stack": "../stack.mrc"}}
    assert recipe["output"] == {"folder": ".", "order": "imod"}


def test_parts_take_options_where_they_are_named(tomoinr, here):
    words = ("--solver", "sirt:steps=3,relaxation=0.5", "--poses", "fixed", "--out", "out")
    assert tomoinr("reconstruct", "stack.mrc", *words)[0] == 0
    recipe = tomllib.loads((here / "out/recipe.toml").read_text())
    assert recipe["solver"] == {"name": "sirt", "steps": 3, "relaxation": 0.5, "positive": True}
    code, _, told = tomoinr("reconstruct", "stack.mrc", "--solver", "sirt:step=3", "--out", "other")
    assert code and "step" in told and "steps" in told and not (here / "other").exists()


def test_a_recipe_says_who_made_it_and_what_was_used(tomoinr, here):
    assert tomoinr("reconstruct", "stack.mrc", "--solver", "sirt", "--out", "out")[0] == 0
    text = (here / "out/recipe.toml").read_text()
    provider = Plugins(builtin, installed=False).find("solver", "sirt").provider
    assert text.startswith("# Made by tomoinr ") and f"solver sirt ({provider})" in text
    recipe = tomllib.loads(text)
    assert recipe["run"]["depth"] == 6 and recipe["data"]["angles"] == [-40, 0, 40]
    (here / "stack.rawtlt").unlink()  # the recipe holds them
    assert tomoinr("run", "out/recipe.toml", "--out", "again")[0] == 0
    assert np.array_equal(volume(here / "again"), volume(here / "out"))


def test_a_result_can_be_moved_with_its_data(tomoinr, here):
    (here / "a").mkdir()
    for name in ("stack.mrc", "stack.rawtlt"):
        (here / name).rename(here / "a" / name)
    (here / "link").symlink_to(here / "a")
    fine = ("reconstruct", "a/stack.mrc", "--solver", "sirt", "--steps", 2)
    assert tomoinr(*fine, "--out", "a/first")[0] == 0
    started = (*fine, "--start", "a/first/poses.json", "--out", "link/deep/out")
    assert tomoinr(*started)[0] == 0
    (here / "a").rename(here / "b")
    assert tomoinr("run", "b/deep/out/recipe.toml", "--out", "other")[0] == 0
    assert np.array_equal(volume(here / "other"), volume(here / "b/first"))


def test_a_recipe_by_hand(tomoinr, here):
    (here / "sub").mkdir()
    (here / "sub/r.toml").write_text(
        'volume = "voxels"\nprior = []\n[data]\nstack = "../stack.mrc"\nangles = [-30, 0, 30]\n'
        '[solver]\nname = "sirt"\nrelaxation = 0.5\n[output]\nfolder = "out"\norder = "xyz"\n'
    )
    code, _, told = tomoinr("run", "sub/r.toml", "--steps", 2)
    assert code == 0 and "tilts -30° to 30°" in told
    assert volume(here / "sub/out").shape == (6, 5, 6)
    recipe = tomllib.loads((here / "sub/out/recipe.toml").read_text())
    assert recipe["solver"] == {"name": "sirt", "steps": 2, "relaxation": 0.5, "positive": True}


def test_options_reach_the_run(tomoinr, here):
    base = ("reconstruct", "stack.mrc", "--solver", "sirt", "--steps", 3)
    assert tomoinr(*base, "--out", "a", "--angles", "-30:30:30")[0] == 0
    tilts = json.loads((here / "a/poses.json").read_text())["tilts"]
    assert [round(t["tilt"], 3) for t in tilts] == [-30, 0, 30]
    assert tomoinr(*base, "--out", "b", "--order", "xyz")[0] == 0
    plain = tomoinr(*base, "--out", "c")
    assert plain[0] == 0
    assert np.array_equal(volume(here / "b"), np.rot90(volume(here / "c"), 1, axes=(0, 1)))
    assert tomoinr(*base, "--out", "c")[0] == 2
    assert tomoinr(*base, "--out", "c", "--force")[0] == 0
    assert tomoinr(*base, "--out", "d", "--start", "a/poses.json")[0] == 0
    assert np.array_equal(volume(here / "d"), volume(here / "a"))


@pytest.mark.parametrize(
    ("in_file", "asked", "told"),
    [
        (None, None, "pixel size unknown, taken as 1 Å"),
        (0.0, None, "pixel size unknown, taken as 1 Å"),
        (2.5, None, "pixels of 2.5 Å"),
        (2.5, 1, "pixels of 1 Å"),
        (-2.5, 4.0, "pixels of 4 Å"),
    ],
)
def test_the_pixel_size(tomoinr, here, in_file, asked, told):
    """As the file says, unless the user knows better; a file that says nothing is no mistake."""
    stack(here / "stack.mrc", IMAGES, pixel_size=in_file)
    more = ["--pixel-size", asked] if asked else []
    arguments = ("reconstruct", "stack.mrc", "--solver", "fbp", "--out", "out", *more)
    code, _, error = tomoinr(*arguments)
    assert code == 0 and told in error
    with mrcfile.open(here / "out/volume.mrc") as file:
        assert float(file.voxel_size.x) == pytest.approx(asked or in_file or 1)
    assert tomoinr("run", "out/recipe.toml", "--out", "again")[0] == 0


def test_a_run_can_be_watched(tomoinr, here):
    pytest.importorskip("tensorboard")
    arguments = ("reconstruct", "stack.mrc", "--solver", "sirt", "--steps", 3, "--trust", "none")
    shown = ("--live", "--preview", "now.png", "--tensorboard", "log")
    code, _, told = tomoinr(*arguments, "--out", "out", *shown)
    assert code == 0 and "reconstructing: step 1 of 3" in told
    assert "<h1>finished</h1>" in (here / "out/live.html").read_text("utf-8")
    assert (here / "now.png").read_bytes().startswith(b"\x89PNG") and names(here / "log")
    for more, name in ((shown[:1], "live.html"), (shown[1:3], "now.png")):
        (here / "new").mkdir(exist_ok=True)
        (here / "new/live.html").write_text("mine")
        code, _, told = tomoinr(*arguments, "--out", "new", *more)
        assert code == 2 and f"{name}: already exists" in told
    assert tomoinr(*arguments, "--out", "out", *shown, "--force")[0] == 0


def test_a_failing_observer_is_told_and_stops_nothing(tomoinr, here, monkeypatch):
    clumsy = ModuleType("clumsy")
    clumsy.tomoinr_stepped = hookimpl(lambda record: 1 / 0)
    host = Plugins(builtin, clumsy, installed=False)
    for name in ("api", "io.reading", "io.saving"):
        monkeypatch.setattr(f"tomoinr.{name}.Plugins", lambda: host)
    code, _, told = tomoinr("reconstruct", "stack.mrc", "--steps", 2, "--out", "out")
    assert code == 0 and told.count("clumsy: observer: ZeroDivisionError") == 1
    assert names(here / "out") == RESULTS


def test_plugins_lists_parts_and_what_is_broken(tomoinr, monkeypatch):
    code, printed, error = tomoinr("plugins")
    assert (code, error) == (0, "") and "broken" not in printed
    for part in Plugins(builtin, installed=False).parts():
        assert any(line.split()[:3] == [part.kind, part.name, part.provider]
                   for line in printed.splitlines())  # fmt: skip

    def fails():
        raise ImportError("pip install some[extra] [/red]")

    sick = ModuleType("a_distribution_with_a_rather_long_name")
    sick.tomoinr_volumes = hookimpl(fails)
    monkeypatch.setattr(
        "tomoinr.cli.parts.Plugins", lambda: Plugins(builtin, sick, installed=False)
    )
    code, printed, _ = tomoinr("plugins")
    assert code == 0 and f"{sick.__name__}: ImportError: pip install some[extra] [/red]" in printed


def test_options_lists_all_with_type_default_and_meaning(tomoinr):
    code, printed, _ = tomoinr("options", "solver", "fbp")
    assert code == 0
    for text in ("window", "'none' | 'hann' | 'cosine'", '"hann"', "cutoff", "float", "false"):
        assert text in printed
    assert "It has no options." in tomoinr("options", "poses", "fixed")[1]


def test_help_and_version(tomoinr):
    code, printed, _ = tomoinr("--version")
    assert code == 0 and printed.strip()[0].isdigit()
    code, printed, error = tomoinr("--help")
    assert (code, error) == (0, "")
    assert all(c in printed for c in ("demo", "simulate", "reconstruct", "run", "plugins"))
    code, printed, error = tomoinr()
    assert "Usage" in printed + error and "tomoinr: \n" not in error


# Bad input: what to break (in a sound folder), the command, and words of the answer.

FINE = ("reconstruct", "stack.mrc", "--out", "out")
RUN = ("run", "recipe.toml")
IMAGES = np.random.default_rng(0).random((3, 5, 6)) + 1


def data(images=IMAGES, **more):
    return lambda here: stack(here / "stack.mrc", images, **more)


def text(name, content):
    return lambda here: (here / name).write_text(content)


def recipe(content):
    return text("recipe.toml", f"[data]\nstack = 'stack.mrc'\n{content}")


def nothing(here):
    """Leave the folder as it is."""


def spoiled(value):
    images = IMAGES.copy()
    images[1, 2, 3] = value
    return data(images)


def no_angles(here):
    (here / "stack.rawtlt").unlink()


def turned(here):
    """Poses whose axis leaves the detector."""
    tilts = [{"tilt": t, "rotation": 0, "out_of_plane": 5, "dx": 0, "dy": 0} for t in (-40, 0, 40)]
    (here / "poses.json").write_text(json.dumps({"pixel_size": 2.0, "tilts": tilts}))


def results(here):
    (here / "out").mkdir()
    (here / "out/history.csv").write_text("mine")


BAD = {
    "option of wrong type": (recipe("[solver]\nname='sirt'\nsteps='many'"), RUN, "must be int"),
    "option out of range": (recipe("[solver]\nname='sirt'\nsteps=0"), RUN, "at least 1"),
    "option unknown": (recipe("[solver]\nname='sirt'\nstep=3"), RUN, "Did you mean 'steps'?"),
    "section unknown": (recipe("[solvr]\nname='sirt'"), RUN, "Did you mean 'solver'?"),
    "recipe of garbage": (text("recipe.toml", "\x00{"), RUN, "recipe.toml: not a recipe"),
    "recipe without data": (text("recipe.toml", ""), RUN, "names no tilt series"),
    "recipe missing": (nothing, RUN, "recipe.toml: not a recipe: there is no such file"),
    "part unknown": (nothing, (*FINE, "--solver", "srit"), "Did you mean 'sirt'?"),
    "volume unknown": (nothing, (*FINE, "--volume", "voxel"), "Did you mean 'voxels'?"),
    "kind unknown": (nothing, ("options", "solvers", "sirt"), "Did you mean 'solver'?"),
    "name unknown": (nothing, ("options", "solver", "srit"), "Did you mean 'sirt'?"),
    "command unknown": (nothing, ("reconstrct",), "No such command"),
    "flag unknown": (nothing, (*FINE, "--stpes", "3"), "No such option"),
    "flag missing": (nothing, ("prepare", "stack.mrc"), "--out'; see tomoinr prepare"),
    "flag of wrong type": (nothing, (*FINE, "--steps", "many"), "steps"),
    "flag out of range": (nothing, (*FINE, "--steps", "0"), "steps"),
    "quality unknown": (nothing, (*FINE, "--quality", "good"), "quality"),
    "seed too large": (nothing, (*FINE, "--seed", str(2**64)), "seed"),
    "steps of no use": (nothing, (*FINE, "--solver", "fbp", "--steps", "3"), "takes no number"),
    "parts that do not fit": (turned, (*FINE, "--start", "poses.json"), "'quadrature'"),
    "not linear": (
        recipe("[solver]\nname='sirt'\n[projector]\nname='quadrature'\njitter=true"),
        RUN,
        "sirt needs parts that can be linear in its voxels, but quadrature cannot; "
        "use the projector 'slices', or the solver 'joint'",
    ),
    "priors of no use": (
        nothing,
        (*FINE, "--solver", "sirt", "--prior", "tv"),
        "sirt uses no priors, but tv was asked for; use the solver 'joint'",
    ),
    "one tilt angle": (text("stack.rawtlt", "20\n20\n20"), FINE, "the same tilt angle"),
    "too deep": (nothing, (*FINE, "--depth", "97"), "5 × 97 × 6 voxels is more than 16 times"),
    "poses without tilts": (text("p.json", "{}"), (*FINE, "--start", "p.json"), "no 'tilts'"),
    "scores into a folder": (
        lambda here: (here / "s").mkdir(), ("demo", "--json", "s"), "s: this is a folder"),
    "gain without end": (
        nothing, ("simulate", "--gain-drift", "inf", "--out", "o"), "gain_drift must be finite"),
    "NaN in an image": (spoiled(np.nan), FINE, "image 1 holds NaN"),
    "infinite pixel": (spoiled(np.inf), FINE, "image 1 holds NaN or infinite"),
    "dark images": (data(0 * IMAGES), FINE, "every image is flat"),
    "images of one value": (data(0 * IMAGES + 3), FINE, "every image is flat"),
    "all NaN": (data(np.nan * IMAGES), FINE, "image 0 holds NaN or infinite values, as do 2 more"),
    "no image left": (nothing, (*FINE, "--exclude", "0-2"), "no image is left of its 3"),
    "recipe no text": (
        lambda here: (here / "r.toml").write_bytes(b"\xff\xfe"), ("run", "r.toml"), "is not text"),
    "half a header": (text("stack.mrc", "x" * 500), FINE, "cut short"),
    "angles of a folder": (nothing, (*FINE, "--angles", "."), ".: this is a folder, not a file of"),
    "angles of no text": (nothing, (*FINE, "--angles", "stack.mrc"), "mrc: this is no text"),
    "no stack": (nothing, ("reconstruct", "none.mrc", "--out", "out"), "no such file"),
    "a folder for a stack": (nothing, ("reconstruct", ".", "--out", "out"), "not a file"),
    "empty file": (text("stack.mrc", ""), FINE, "stack.mrc: the file is empty"),
    "text for a stack": (text("stack.mrc", "x" * 2000), FINE, "no usable MRC header"),
    "unknown format": (text("a.xyz", "x"), ("reconstruct", "a.xyz", "--out", "o"), "no reader"),
    "no angles": (no_angles, FINE, "--angles"),
    "angles unreadable": (text("stack.rawtlt", "-40\nzero\n40"), FINE, "line 2: 'zero'"),
    "angles missing": (nothing, (*FINE, "--angles", "none.tlt"), "none.tlt"),
    "angles misspelt": (nothing, (*FINE, "--angles", "-40:40:x"), "start:stop:step"),
    "angle count": (text("stack.rawtlt", "-40\n40\n"), FINE, "3 images but 2 angles"),
    "angle range count": (nothing, (*FINE, "--angles", "-40:40:20"), "3 images but 5 angles"),
    "angle not finite": (text("stack.rawtlt", "-40\nnan\n40"), FINE, "line 2"),
    "one tilt": (data(IMAGES[:1], angles=[0]), FINE, "at least two images"),
    "one tilt simulated": (nothing, ("simulate", "--angles", "0:0:1", "--out", "o"), "two images"),
    "negative pixels": (data(pixel_size=-2.0), FINE, "above zero"),
    "flat pixels": (data(pixel_size=(2.0, 0.0, 2.0)), FINE, "above zero"),
    "oblong pixels": (data(pixel_size=(2.0, 5.0, 2.0)), FINE, "--pixel-size"),
    "pixel size zero": (nothing, (*FINE, "--pixel-size", "0"), "above zero, got 0"),
    "pixel size negative": (nothing, (*FINE, "--pixel-size", "-2"), "above zero, got -2"),
    "pixel size nan": (nothing, (*FINE, "--pixel-size", "nan"), "pixel_size"),
    "poses unreadable": (text("p.json", "{"), (*FINE, "--start", "p.json"), "no poses can be read"),
    "poses of NaN": (
        text("p.json", json.dumps({"pixel_size": 1, "tilts": [
            {"tilt": float("nan"), "rotation": 0, "out_of_plane": 0, "dx": 0, "dy": 0}]})),
        (*FINE, "--start", "p.json"),
        "not a finite number",
    ),
    "output is a file": (text("out", "mine"), FINE, "out: this is a file"),
    "output in a file": (text("out", "mine"), (*FINE[:3], "out/deeper"), "out: this is a file"),
    "no folder to simulate into": (text("o", "mine"), ("simulate", "--out", "o"), "o: this is a"),
    "scores into a file": (text("o", "mine"), ("demo", "--json", "o/s.json"), "o: this is a file"),
    "results are there": (results, FINE, "out/history.csv: already exists"),
    "phantom unknown": (nothing, ("simulate", "--phantom", "dendrit", "--out", "o"), "'dendrite'"),
    "size out of range": (nothing, ("simulate", "--size", "4", "--out", "o"), "size"),
    "ranks": (nothing, FINE, "started as 2 ranks by mpiexec or srun"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Data array contains", "ignore:invalid value")
@pytest.mark.parametrize("name", BAD)
def test_bad_input_ends_in_one_line_and_writes_nothing(tomoinr, here, monkeypatch, name):
    break_, command, says = BAD[name]
    break_(here)
    if name == "ranks":
        monkeypatch.setenv("PMI_SIZE", "2")
        monkeypatch.setenv("PMI_RANK", "0")
    before = {p: p.is_file() and p.read_bytes() for p in here.rglob("*")}
    code, printed, error = tomoinr(*command)
    assert (code, printed) == (2, "")
    assert error.startswith("tomoinr: ") and error.count("\n") == 1 and error.endswith("\n")
    assert says in error
    assert {p: p.is_file() and p.read_bytes() for p in here.rglob("*")} == before


def test_an_endless_diet_of_garbage_never_ends_in_a_traceback(tomoinr, here):
    """Recipes with any bytes changed: a line and code 2, or a run."""
    chance = np.random.default_rng(0)
    sound = b"solver = 'sirt'\n[data]\nstack = 'stack.mrc'\n[run]\nseed = 3\ndepth = 4\n"
    for number in range(150):
        raw = bytearray(sound)
        for _ in range(chance.integers(1, 4)):
            raw[chance.integers(len(raw))] = chance.integers(256)
        (here / "recipe.toml").write_bytes(raw)
        code, _, error = tomoinr("run", "recipe.toml", "--out", f"o{number}", "--steps", 1)
        assert code in (0, 2)
        assert code == 0 or (error.startswith("tomoinr: ") and error.count("\n") == 1)


def test_ctrl_c_ends_in_a_word(tomoinr, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr("tomoinr.cli.parts.Plugins", interrupted)
    assert tomoinr("plugins") == (130, "", "tomoinr: stopped\n")
