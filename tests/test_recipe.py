"""Recipes: text and back, everything filled in, and mistakes told before anything is done."""

import dataclasses
import math
from pathlib import Path

import pytest

from tomoinr import TomoinrError
from tomoinr.builtin.joint import Joint
from tomoinr.builtin.voxels import Voxels
from tomoinr.plugins import Plugins
from tomoinr.recipe import Choice, Data, Output, Recipe, Run, build

FULL = Recipe(
    data=Data("/a/stack.mrc", angles=(-60.0, 0.0, 60.0), pixel_size=2.5, poses="/a/poses.json"),
    run=Run("best", depth=20, seed=7),
    output=Output("/b/out", "xyz"),
    volume=Choice("voxels", {"start": 0.5}),
    poses=Choice("fixed"),
    projector=Choice("quadrature", {"samples": 2.0, "jitter": True}),
    solver=Choice("joint", {"steps": 12, "loss": "smooth-l1"}),
    priors=(Choice("tv", {"weight": 0.2}), Choice("sparsity")),
)


def written(tmp_path, text):
    path = tmp_path / "recipe.toml"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(
    "recipe",
    [FULL, dataclasses.replace(FULL, priors=()), dataclasses.replace(FULL, priors=None)],
    ids=["full", "no priors", "usual priors"],
)
def test_text_and_back(tmp_path, plugins, recipe):
    assert Recipe.load(written(tmp_path, recipe.toml())) == recipe
    resolved = recipe.resolve(plugins)
    assert Recipe.load(written(tmp_path, resolved.toml())) == resolved


@pytest.mark.parametrize("solver", ["fbp", "joint", "sirt", "tv"])
@pytest.mark.parametrize("quality", ["fast", "default", "best"])
def test_resolving_fills_in_all_and_changes_nothing_more(plugins, solver, quality):
    resolved = Recipe(run=Run(quality), solver=Choice(solver)).resolve(plugins)
    assert resolved.resolve(plugins) == resolved
    for kind in ("volume", "poses", "projector", "solver"):
        choice = getattr(resolved, kind)
        options = plugins.find(kind, choice.name).cls.Options
        known = {f.name for f in dataclasses.fields(options) if f.default is not None}
        assert set(choice.options) == known
    assert resolved.priors is not None


def test_what_is_given_beats_the_quality_which_beats_the_default(plugins):
    def steps(**solver):
        quality = solver.pop("quality", "default")
        given = Recipe(run=Run(quality), solver=Choice("joint", solver))
        return given.resolve(plugins).solver.options["steps"]

    assert steps() == Joint.Options().steps
    assert steps(quality="fast") == Joint.presets["fast"]["steps"] != steps()
    assert steps(quality="best") == Joint.presets["best"]["steps"] != steps()
    assert steps(quality="fast", steps=9) == 9
    by_argument = Recipe(solver=Choice("joint", {"steps": 9})).resolve(plugins, steps=5)
    assert by_argument.solver.options["steps"] == 5


def test_the_usual_partners_and_priors(plugins):
    usual = Recipe().resolve(plugins)
    assert [getattr(usual, k).name for k in ("volume", "poses", "projector", "solver")] == [
        "voxels", "fixed", "slices", "auto",
    ]  # fmt: skip
    assert usual.priors == ()
    joint = Recipe(solver=Choice("joint")).resolve(plugins)
    assert [prior.name for prior in joint.priors] == ["tv"]
    named = (Recipe(volume=Choice("siren")), Recipe(priors=(Choice("sparsity"),)))
    assert [r._usual_solver(plugins, {}) for r in named] == ["joint", "joint"]
    assert Recipe(priors=()).resolve(plugins).priors == ()
    assert Recipe(solver=Choice("sirt")).resolve(plugins).priors == ()
    with pytest.raises(TomoinrError, match="no solver is called 'joint'; there are none"):
        Recipe().resolve(Plugins(installed=False))


def test_parts_already_made_are_left_out(plugins):
    full = Recipe().resolve(plugins, made={"volume": Voxels, "solver": Joint})
    assert full.volume is None and full.solver is None and full.projector is not None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[dta]\nstack = 'a'", "no section 'dta'; there are data, .*Did you mean 'data'"),
        ("data = 3", r"\[data\] must be a section"),
        ("[data]\nstak = 'a'", r"\[data\] has no option 'stak'.*Did you mean 'stack'"),
        ("[data]\nstack = 3", r"\[data\]: option 'stack' must be str \| none, got 3"),
        ("[data]\nangles = ['a']", r"\[data\]: option 'angles'"),
        ("[run]\nquality = 'good'", r"\[run\]: option 'quality' must be 'fast' \| 'default'"),
        ("[run]\nseed = -1", "at least 0"),
        ("[run]\nseed = 18446744073709551616", "at most"),
        ("[run]\ndepth = 0", "at least 1"),
        ("[output]\norder = 'zyx'", "must be 'imod' | 'xyz'"),
        ("volume = 3", r"\[volume\]: give a name, or a table"),
        ("[volume]\nwidth = 3", r"\[volume\]: give a name"),
        ("prior = [3]", r"\[\[prior\]\]: give a name"),
        ("solver = 'sirt", r"recipe\.toml: not a recipe: TOMLDecodeError"),
        ("\x00\x01", "not a recipe"),
        ("a = " + "[" * 9999, "not a recipe"),
    ],
)
def test_a_wrong_recipe_is_told_in_one_line(tmp_path, text, says):
    with pytest.raises(TomoinrError, match=says) as caught:
        Recipe.load(written(tmp_path, text))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize("name", ["none.toml", "."])
def test_what_is_no_file_is_told(tmp_path, name):
    with pytest.raises(TomoinrError, match=r"not a recipe: (there is no such file|this is a fol)"):
        Recipe.load(tmp_path / name)
    (tmp_path / "latin.toml").write_bytes(b"a = '\xe9'")
    with pytest.raises(TomoinrError, match="this is not text; a recipe is TOML"):
        Recipe.load(tmp_path / "latin.toml")


@pytest.mark.parametrize(
    ("recipe", "steps", "says"),
    [
        (Recipe(solver=Choice("srit")), None, "no solver is called 'srit'.*Did you mean 'sirt'"),
        (Recipe(volume=Choice("siern")), None, "no volume is called 'siern'; there are voxels"),
        (Recipe(priors=(Choice("tvv"),)), None, "no prior is called 'tvv'"),
        (Recipe(solver=Choice("sirt", {"step": 3})), None, "'sirt' has no option 'step'.*'steps'"),
        (Recipe(solver=Choice("sirt", {"steps": 2.5})), None, "solver 'sirt': option 'steps' must"),
        (Recipe(solver=Choice("sirt")), 0, "at least 1"),
        (Recipe(solver=Choice("sirt")), 2.5, "must be int"),
        (Recipe(solver=Choice("fbp")), 5, "the solver 'fbp' takes no number of steps"),
    ],
)
def test_parts_and_options_are_checked_when_resolved(plugins, recipe, steps, says):
    with pytest.raises(TomoinrError, match=says):
        recipe.resolve(plugins, steps=steps)


def test_relative_paths_count_from_the_recipes_folder(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    text = "[data]\nstack='s.mrc'\nangles='s.tlt'\nposes='p.json'\n[output]\nfolder='out'"
    path = written(tmp_path / "a", text)
    monkeypatch.chdir(tmp_path)
    for given in (path, Path("a/recipe.toml")):
        recipe = Recipe.load(given)
        found = [recipe.data.stack, recipe.data.angles, recipe.data.poses, recipe.output.folder]
        wanted = [tmp_path / "a" / name for name in ("s.mrc", "s.tlt", "p.json", "out")]
        assert [Path(f).absolute() for f in found] == wanted
    assert Recipe.load(path, Path("elsewhere")).output.folder == "elsewhere"


@pytest.mark.parametrize(
    ("angles", "kept"), [("-60:60:3", True), ((1.0, 2.0), True), (None, True), ("a.tlt", False)]
)
def test_only_paths_are_moved(angles, kept):
    recipe = Recipe(Data("/whole.mrc", angles)).beside(Path("/folder"))
    assert recipe.data.stack == "/whole.mrc"
    assert (recipe.data.angles == angles) == kept
    assert Recipe().beside(Path("/folder")).data == Data()


def test_a_part_is_built_with_its_options(plugins):
    joint = build("solver", Choice("joint", {"steps": 3}), plugins)
    assert isinstance(joint, Joint) and joint.options == Joint.Options(steps=3)
    with pytest.raises(TomoinrError, match="must be finite"):
        build("solver", Choice("joint", {"rate": math.nan}), plugins)
