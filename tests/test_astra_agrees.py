"""Our SIRT and ASTRA's CPU SIRT find the same volume, as benchmarks/sirt.py says and explains."""

import runpy
import sys
from pathlib import Path

import pytest

pytest.importorskip("astra", reason="ASTRA is what ours is compared with")
SCRIPT = Path(__file__).parents[1] / "benchmarks" / "sirt.py"
SMALL = ["--slices", "3", "--size", "32", "--angles", "21", "--steps", "50"]


@pytest.fixture(scope="module")
def bench():
    return runpy.run_path(str(SCRIPT))


@pytest.fixture
def series(bench, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["sirt.py", *SMALL])
    return bench["measure"](bench["arguments"]())


def test_volumes_agree_and_weights_are_why_they_differ(bench, series):
    theirs = bench["astra_sirt"](series, 50)
    assert bench["relative"](bench["our_sirt"](series, 50), theirs) < 1e-4
    assert bench["relative"](bench["our_sirt"](series, 50, "astra"), theirs) < 1e-5


def test_our_weights_are_the_exact_ones(bench, series):
    exact = bench["exact_weights"](series)
    ours, theirs = (
        bench["relative"](bench[f"{whose}_weights"](series), exact) for whose in ("our", "astra")
    )
    assert ours < 1e-6
    assert ours < theirs < 1e-3


def test_the_benchmark_runs(bench, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["sirt.py", *SMALL])
    bench["main"]()
    assert "ratio" in capsys.readouterr().out
