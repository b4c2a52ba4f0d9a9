"""The plugin host: a broken plugin is named and stops nothing; names lead to one part or a hint."""

import sys
from abc import abstractmethod
from dataclasses import dataclass
from types import ModuleType

import pytest
import torch

from tomoinr import TiltSeries, TomoinrError, builtin, hookimpl, reconstruct
from tomoinr.builtin.sirt import Sirt
from tomoinr.builtin.voxels import Voxels
from tomoinr.interfaces import Preparation, Prior, Solver
from tomoinr.io import load, save
from tomoinr.plugins import Plugins
from tomoinr.recipe import Recipe, build

SERIES = TiltSeries(torch.rand(4, 5, 6), torch.arange(4.0) * 30)


def module(name="stranger", **hooks):
    """A plugin as a stranger would write it: a module of marked functions."""
    made = ModuleType(name)
    for hook, function in hooks.items():
        setattr(made, hook, hookimpl(function) if callable(function) else function)
    return made


def host(*modules):
    return Plugins(builtin, *modules, installed=False)


class Fine(Prior):
    """Does nothing."""

    name = "fine"

    def __init__(self, options):
        self.options = options

    def penalty(self, voxels):
        return voxels.sum() * 0


def nothing():
    return []


def misspelt():
    return module(tomoinr_volume=nothing)


def unmarked():
    made = module()
    made.tomoinr_volumes = lambda: [Voxels]
    return made


def fails():
    raise RuntimeError("two\nlines")


def calls(answer):
    return lambda: module(tomoinr_priors=lambda: answer)


class Abstract(Prior):
    name = "abstract"

    @abstractmethod
    def more(self):
        """Never defined."""


@dataclass
class Melted:
    size: int = 1


@dataclass(frozen=True)
class Unknown:
    size: "NoSuchType" = 1  # noqa: F821


BROKEN = {
    "misspelt": (misspelt, "no hook 'tomoinr_volume'. Did you mean 'tomoinr_volumes'?"),
    "unmarked": (unmarked, "'tomoinr_volumes' is not marked with @tomoinr.hookimpl"),
    "wrong argument": (
        lambda: module(tomoinr_priors=lambda: [Fine], tomoinr_read=lambda file: None),
        "tomoinr_read takes path, pixel_size; 'file' is not one.",
    ),
    "argument misspelt": (
        lambda: module(tomoinr_read=lambda path, pixel_sise: None),
        "'pixel_sise' is not one. Did you mean 'pixel_size'?",
    ),
    "made otherwise": (
        calls([type("Odd", (Fine,), {"__init__": lambda self, options, more: None})]),
        "Odd cannot be made as Odd(options)",
    ),
    "options unreadable": (
        calls([type("Vague", (Fine,), {"Options": Unknown})]),
        "Vague.Options cannot be read: NameError",
    ),
    "hook raises": (lambda: module(tomoinr_priors=fails), "RuntimeError: two lines"),
    "hook forgets": (calls(None), "not iterable"),
    "not a class": (calls([7]), "7 is not a Prior"),
    "another kind": (calls([Voxels]), "Voxels is not a Prior"),
    "abstract": (calls([Abstract]), "Abstract does not define more, penalty"),
    "no name": (calls([type("Mute", (Fine,), {"name": None})]), "Mute has no name"),
    "empty name": (calls([type("Mute", (Fine,), {"name": ""})]), "Mute has no name"),
    "melted": (calls([type("Soft", (Fine,), {"Options": Melted})]), "not a frozen dataclass"),
    "no options": (calls([type("Bare", (Fine,), {"Options": dict})]), "not a frozen dataclass"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_is_named_and_stops_nothing(name):
    make, says = BROKEN[name]
    good = module("good", tomoinr_priors=lambda: [Fine])
    found = host(make(), good)
    (line,) = found.problems()
    assert line.startswith("stranger: ") and says in line and "\n" not in line
    assert found.find("prior", "fine").provider == "good"
    assert found.has("solver", "sirt")


def test_good_parts_of_a_plugin_outlive_its_bad_one():
    found = host(module(tomoinr_priors=lambda: [Abstract, Fine], tomoinr_solvers=fails))
    assert found.has("prior", "fine") and len(found.broken) == 2


def test_an_unknown_name_lists_what_there_is_the_nearest_and_the_broken():
    found = host(module(tomoinr_volumes=fails))
    with pytest.raises(TomoinrError) as caught:
        found.find("volume", "voxel")
    listed = "there are voxels."
    assert str(caught.value) == f"no volume is called 'voxel'; {listed} Did you mean 'voxels'?"
    strangers = [module(f"s{n}", tomoinr_volumes=fails) for n in range(3)]
    for broken, rest in ((strangers[:2], ""), (strangers, " For the rest: tomoinr plugins.")):
        with pytest.raises(TomoinrError) as caught:
            host(*broken).find("volume", "sponge")
        named = "".join(f" Not usable: s{n}: RuntimeError: two lines." for n in range(2))
        assert str(caught.value) == f"no volume is called 'sponge'; {listed}{named}{rest}"
    with pytest.raises(
        TomoinrError, match=r"no kind .* 'solvers'.*volume, .*Did you mean 'solver'"
    ):
        found.find("solvers", "sirt")
    with pytest.raises(TomoinrError, match="there are none"):
        Plugins(installed=False).find("volume", "voxels")


def test_what_is_not_installed_is_told_only_where_it_could_help(install):
    source = "import tomoinr\n@tomoinr.hookimpl\ndef tomoinr_solvers():\n    raise tomoinr."
    install("tomoinr-sponge", f"{source}TomoinrError('Sponge is missing')")
    found = Plugins()
    told = " Not usable: tomoinr-sponge 1.2: Sponge is missing."
    for kind, name, helps in (
        ("prior", "foo", False),
        ("volume", "sponges", False),
        ("solver", "foo", True),
        ("prior", "sponge-tv", True),
        ("solver", "sponge", True),
    ):
        with pytest.raises(TomoinrError) as caught:
            found.find(kind, name)
        assert str(caught.value).endswith(told) is helps, (kind, name)
    assert found.problems() == ["tomoinr-sponge 1.2: Sponge is missing"]


def test_a_near_name_does_not_hide_why_the_one_meant_is_missing(install):
    source = "import tomoinr\n@tomoinr.hookimpl\ndef tomoinr_solvers():\n    raise OSError('gone')"
    install("tomoinr-sponge", source)
    install("good", FINE.format(name="spongy-sirt"))
    with pytest.raises(TomoinrError, match=r"Not usable: tomoinr-sponge 1\.2: OSError: gone"):
        Plugins().find("solver", "sponge-sirt")


def test_a_name_given_twice_names_both_and_leaves_the_rest():
    twin = type("Twin", (Fine,), {"name": "tv"})
    found = host(module("rival", tomoinr_priors=lambda: [twin, Fine]))
    with pytest.raises(TomoinrError, match=r"prior 'tv': tomoinr\.builtin and rival;|rival and"):
        found.find("prior", "tv")
    (line,) = found.problems()
    assert "tomoinr.builtin" in line and "rival" in line
    assert not found.has("prior", "tv") and found.has("prior", "fine")
    assert found.find("solver", "tv").cls.name == "tv"  # of another kind
    assert [p.name for p in found.parts("prior")].count("tv") == 2


def test_parts_are_listed_by_kind_then_name_and_a_module_twice_counts_once():
    found = host(builtin)
    kinds = [p.kind for p in found.parts()]
    order = ["volume", "poses", "projector", "solver", "prior", "prepare"]
    assert kinds == sorted(kinds, key=order.index)
    assert [p.name for p in found.parts("solver")] == [
        "auto",
        "fbp",
        "fused",
        "joint",
        "sirt",
        "tv",
    ]
    assert found.problems() == []


def test_observers_see_every_step_and_a_failing_one_stops_nothing():
    seen = []

    def observe(record):  # a hook takes only the arguments it wants
        seen.append((record.step, record.of))

    found = host(
        module("watcher", tomoinr_stepped=observe),
        module("clumsy", tomoinr_stepped=lambda problem: 1 / 0),
    )
    result = reconstruct(SERIES, solver="sirt", steps=3, plugins=found)
    assert seen == [(step, 3) for step in (1, 2, 3)]
    assert len(result.history) == 3
    assert found.problems() == ["clumsy: observer: ZeroDivisionError: division by zero"]


class Doubled(Preparation):
    name, apart = "x2", True

    def __init__(self, options):
        self.options = options

    def prepare(self, series):
        return series.scaled(2)


@pytest.mark.parametrize("apart", [True, False])
def test_preparing_steps_are_found_by_name_and_used_in_order(tmp_path, monkeypatch, apart):
    monkeypatch.setattr(Doubled, "apart", apart)
    plugins = Plugins(builtin, module(tomoinr_preparations=lambda: [Doubled]), installed=False)
    SERIES.save(tmp_path / "a.mrc")
    recipe = Recipe.parse({"data": {"stack": str(tmp_path / "a.mrc")}, "prepare": ["x2", "x2"]})
    steps = [build("prepare", step, plugins) for step in recipe.resolve(plugins).prepare]
    found = load(tmp_path / "a.mrc", plugins=plugins, prepare=steps)
    assert torch.equal(found.images, 4 * SERIES.images)
    with pytest.raises(TomoinrError, match="no prepare is called 'x3'"):
        plugins.find("prepare", "x3")


def test_readers_may_leave_arguments_out_and_what_the_user_gave_still_holds(tmp_path):
    (tmp_path / "a.xyz").write_text("x")
    plain = module(tomoinr_read=lambda path: SERIES if path.suffix == ".xyz" else None)
    assert load(tmp_path / "a.xyz", plugins=host(plain)).pixel_size == 1
    assert load(tmp_path / "a.xyz", plugins=host(plain), pixel_size=2.5).pixel_size == 2.5


def test_a_writer_that_raises_ends_in_one_line(tmp_path):
    clumsy = module(tomoinr_write=lambda path, value, order: 1 / 0)
    with pytest.raises(TomoinrError, match=r"a\.mrc: cannot be written: ZeroDivisionError"):
        save(tmp_path / "a.mrc", SERIES, plugins=host(clumsy))
    assert not list(tmp_path.iterdir())


# Installed distributions: real metadata in a folder that is all of `sys.path`.

FINE = """
import tomoinr
from tomoinr.builtin.sirt import Sirt
class Mine(Sirt):
    name = {name!r}
@tomoinr.hookimpl
def tomoinr_solvers():
    return [Mine]
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Puts a module, and the metadata of the distribution that brings it, on `sys.path`."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    before = set(sys.modules)

    def put(dist, source, entry="main = {}", version="1.2"):
        name = f"tomoinr_test_{dist.replace('-', '_')}"
        (tmp_path / f"{name}.py").write_text(source)
        info = tmp_path / f"{dist}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[tomoinr]\n{entry.format(name)}\n")

    yield put
    for name in set(sys.modules) - before:
        if name.startswith("tomoinr_test_"):
            del sys.modules[name]


def test_installed_parts_carry_distribution_and_version(install):
    install("alpha", FINE.format(name="mine"))
    part = Plugins().find("solver", "mine")
    assert part.provider == "alpha 1.2"
    assert issubclass(part.cls, Sirt) and issubclass(part.cls, Solver)


@pytest.mark.parametrize(
    ("source", "entry", "says"),
    [
        ("import no_such_library", "main = {}", "No module named 'no_such_library'"),
        ("1 / 0", "main = {}", "ZeroDivisionError"),
        ("def :", "main = {}", "SyntaxError"),
        ("raise SystemExit(3)", "main = {}", "SystemExit: 3"),
        ("", "main = {}_gone", "No module named"),
        ("", "main = {}:gone", "gone"),
        ("import tomoinr\ntomoinr_volume = tomoinr.hookimpl(lambda: [])", "main = {}", "mean"),
    ],
    ids=["library", "error", "syntax", "exit", "module", "attribute", "hook"],
)
def test_an_installed_plugin_that_cannot_be_loaded(install, source, entry, says):
    install("bad", source, entry)
    install("good", FINE.format(name="mine"))
    found = Plugins()
    (line,) = found.problems()
    assert line.startswith("bad 1.2: ") and says in line and "\n" not in line
    assert found.has("solver", "mine")
    with pytest.raises(TomoinrError, match=r"Not usable: bad 1\.2"):
        found.find("solver", "theirs")


def test_two_distributions_may_name_their_entry_points_alike(install):
    install("alpha", FINE.format(name="one"))
    install("beta", FINE.format(name="two"))
    install("gamma", FINE.format(name="two"))
    found = Plugins()
    assert found.find("solver", "one").provider == "alpha 1.2"
    with pytest.raises(TomoinrError, match=r"solver 'two': .*(beta|gamma) 1\.2 and (beta|gamma)"):
        found.find("solver", "two")


def test_an_entry_point_need_not_be_a_module(install):
    install("number", "thing = 5", "main = {}:thing")
    install("alpha", FINE.format(name="one"), "a = {0}\nb = {0}")
    assert [p.name for p in Plugins().parts()] == ["one"]


def test_no_discovery_unless_asked(install):
    install("alpha", FINE.format(name="one"))
    assert Plugins(installed=False).parts() == []
    assert Plugins(builtin, installed=False).broken == []
