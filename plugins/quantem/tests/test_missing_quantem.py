"""Where quantEM is missing, the plugin says how to get it and stops nothing else."""

import sys

import numpy as np
import pytest

import tomoinr_quantem
from tomoinr import builtin
from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.plugins import Plugins
from tomoinr.team import Solo
from tomoinr_quantem.library import part, require
from tomoinr_quantem.solver import QuantemInr

HOW = "pip install 'tomoinr-quantem\\[quantem\\]'"


@pytest.fixture
def without_quantem(monkeypatch):
    monkeypatch.setitem(sys.modules, "quantem", None)


@pytest.fixture
def instead(monkeypatch, tmp_path):
    """Puts files where quantEM would be."""

    def put(**files):
        for name, text in files.items():
            target = tmp_path / "quantem" / f"{name}.py"
            target.parent.mkdir(exist_ok=True)
            target.write_text(text)
        for name in [n for n in sys.modules if n.partition(".")[0] == "quantem"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.syspath_prepend(tmp_path)

    yield put
    for name in [n for n in sys.modules if n.partition(".")[0] == "quantem"]:
        del sys.modules[name]


def test_the_host_lists_it_as_broken_with_the_instruction(without_quantem):
    plugins = Plugins(builtin, tomoinr_quantem, installed=False)
    (broken,) = plugins.broken
    assert broken.plugin == "tomoinr_quantem"
    assert broken.reason.startswith("quantEM is not installed: pip install 'tomoinr-quantem[")
    assert plugins.has("volume", "voxels") and not plugins.has("solver", "quantem-inr")
    with pytest.raises(TomoinrError, match=f"quantEM is not installed: {HOW}"):
        plugins.find("solver", "quantem-inr")


def test_its_files_are_read_all_the_same(without_quantem, saved):
    plugins = Plugins(builtin, tomoinr_quantem, installed=False)
    images = np.arange(60, dtype=np.float32).reshape(5, 3, 4)
    assert plugins.read(saved(images)).shape == (5, 3, 4)


def test_a_solver_made_by_hand_says_the_same_before_it_starts(without_quantem, problem):
    with pytest.raises(TomoinrError, match=f"quantEM is not installed: {HOW}"):
        QuantemInr(QuantemInr.Options()).init(problem(), Solo())


def test_so_does_a_dataset_that_is_to_be_made(without_quantem):
    series = TiltSeries(np.ones((3, 2, 2), np.float32), [0, 1, 2])
    with pytest.raises(TomoinrError, match=f"quantEM is not installed: {HOW}"):
        tomoinr_quantem.dataset_of(series)


def test_a_folder_of_that_name_is_not_quantem(monkeypatch, tmp_path):
    (tmp_path / "quantem").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "quantem", raising=False)
    with pytest.raises(TomoinrError, match="quantEM is not installed"):
        require()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("raise ModuleNotFoundError('No module named numba')", "No module named numba"),
        ("", "has no attribute 'Dataset3d'"),
    ],
)
def test_a_broken_or_other_version_says_what_is_wrong(instead, text, message):
    instead(__init__="", sets=text)
    with pytest.raises(TomoinrError, match=f"to have Dataset3d .*{message}.*{HOW}"):
        part("sets", "Dataset3d")
