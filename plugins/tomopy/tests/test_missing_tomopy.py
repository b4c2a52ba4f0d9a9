"""Where TomoPy is missing, the plugin says how to get it and stops nothing else."""

import sys

import pytest

import tomoinr_tomopy
from tomoinr import builtin
from tomoinr.errors import TomoinrError
from tomoinr.plugins import Plugins
from tomoinr.team import Solo
from tomoinr_tomopy.library import load, require
from tomoinr_tomopy.solvers import SOLVERS


@pytest.fixture
def without_tomopy(monkeypatch):
    monkeypatch.setitem(sys.modules, "tomopy", None)


def test_the_host_lists_it_as_broken_with_the_instruction(without_tomopy):
    plugins = Plugins(builtin, tomoinr_tomopy, installed=False)
    (broken,) = plugins.broken
    assert broken.plugin == "tomoinr_tomopy"
    assert broken.reason.startswith("TomoPy is not installed: conda install -c conda-forge tomopy")
    assert plugins.has("volume", "voxels") and not plugins.has("solver", "tomopy-sirt")
    with pytest.raises(TomoinrError, match="TomoPy is not installed: conda install"):
        plugins.find("solver", "tomopy-sirt")


def test_a_solver_made_by_hand_says_the_same_before_it_starts(without_tomopy, problem):
    for cls in SOLVERS:
        with pytest.raises(TomoinrError, match="TomoPy is not installed: conda install"):
            cls(cls.Options()).init(problem(), Solo())


def test_a_folder_of_that_name_is_not_tomopy(monkeypatch, tmp_path):
    (tmp_path / "tomopy").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "tomopy", raising=False)
    with pytest.raises(TomoinrError, match="TomoPy is not installed"):
        require()


def test_a_broken_tomopy_says_what_is_wrong(monkeypatch, tmp_path, problem):
    (tmp_path / "tomopy.py").write_text("raise ModuleNotFoundError('tomo-recon was not found')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tomopy", raising=False)
    with pytest.raises(TomoinrError, match=r"broken \(tomo-recon was not found\): conda install"):
        SOLVERS[0](SOLVERS[0].Options()).init(problem(), Solo())


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["tomopy/__init__.py"], r"is not TomoPy: conda install"),
        (
            ["tomopy/__init__.py", "tomopy/recon/__init__.py"],
            r"too old: .*init_recon.*conda install",
        ),
    ],
)
def test_something_else_of_that_name_or_an_old_one_says_so(monkeypatch, tmp_path, files, message):
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("def recon(tomo, theta, center): ...")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tomopy", raising=False)
    with pytest.raises(TomoinrError, match=message):
        load()
    sys.modules.pop("tomopy", None)
