"""`tomoinr report`, and the page that a run ends with."""

import shutil
import sys

import pytest

from tomoinr import builtin, cli
from tomoinr.io import save
from tomoinr.plugins import Plugins
from tomoinr.report import paper

FIGURES = ["course.png", "fsc.png", "poses.png", "residuals.png", "slices.png", "spectrum.png"]


@pytest.fixture
def tomoinr(monkeypatch, capsys, plugins):
    """Runs a command in this process with the built-in parts; returns exit code and output."""
    for name in ("api", "io.saving", "io.reading", "io.poses"):
        monkeypatch.setattr(f"tomoinr.{name}.Plugins", lambda: Plugins(builtin, installed=False))
    monkeypatch.setattr(paper, "DPI", 40)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["tomoinr", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, capsys.readouterr().err

    return run


@pytest.fixture
def stack(series, plugins, tmp_path):
    save(tmp_path / "stack.mrc", series, plugins=plugins)
    return tmp_path / "stack.mrc"


def reconstruct(stack, out, *more):
    return ("reconstruct", stack, "--out", out, "--solver", "tv", "--steps", 2, *more)


def test_a_run_ends_with_a_page(tomoinr, stack, tmp_path):
    out = tmp_path / "out"
    code, told = tomoinr(*reconstruct(stack, out))
    assert code == 0 and "wrote report.html in" in told
    first = (out / "report.html").read_text()
    assert tomoinr(*reconstruct(stack, out))[0] == 2  # nothing is replaced unasked
    (out / "report.html").unlink()
    code, told = tomoinr("report", out)
    assert code == 0 and told.startswith(f"wrote {out / 'report.html'} (0.")
    assert (out / "report.html").read_text() == first
    assert tomoinr("report", out)[0] == 0  # a page may always be made again


def test_no_page_if_none_is_wanted(tomoinr, stack, tmp_path):
    out = tmp_path / "out"
    assert tomoinr(*reconstruct(stack, out, "--trust", "none"))[0] == 0
    code, told = tomoinr(*reconstruct(stack, out, "--no-report", "--force"))
    assert code == 0 and "report" not in told
    assert not (out / "report.html").exists()  # that of the earlier result is gone


def test_a_page_that_fails_costs_no_result(tomoinr, stack, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("something\nbroke")

    monkeypatch.setattr("tomoinr.report.write", fail)
    code, told = tomoinr(*reconstruct(stack, tmp_path / "out", "--trust", "none"))
    assert code == 0 and (tmp_path / "out" / "volume.mrc").exists()
    assert told.splitlines()[-1] == (
        "no report.html: RuntimeError: something broke; the result is whole"
    )


def test_figures_on_request(tomoinr, judged, tmp_path):
    folder = shutil.copytree(judged, tmp_path / "copy")
    png, pdf = tmp_path / "figures", tmp_path / "papers" / "all.pdf"
    code, told = tomoinr("report", folder, "--png", png, "--pdf", pdf)
    assert code == 0 and "not in the report: images: the recipe names no file" in told
    assert sorted(path.name for path in png.iterdir()) == [n for n in FIGURES if n[0] != "r"]
    assert pdf.read_bytes()[:5] == b"%PDF-"
    for again in (("--png", png), ("--pdf", pdf)):
        code, told = tomoinr("report", folder, *again)
        assert code == 2 and "already exists" in told


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()])
def test_no_result_is_one_line(tomoinr, tmp_path, make):
    make(tmp_path / "none")
    code, told = tomoinr("report", tmp_path / "none")
    assert code == 2 and len(told.splitlines()) == 1 and "none: " in told
