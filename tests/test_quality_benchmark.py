"""The mechanics of benchmarks/quality.py, and the shell correlation that it judges wedges by."""

import json
import sys
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tomoinr import TomoinrError, builtin
from tomoinr.data import Record
from tomoinr.fsc import fsc
from tomoinr.plugins import Plugins
from tomoinr.teams.launch import ALONE, Launch

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))  # for the trials' processes too
quality = import_module("quality")
cells, methods, records, report, trial = (
    import_module(f"trials.{name}") for name in ("cells", "methods", "records", "report", "trial")
)
SMALL = ("--size", "16", "--cells", "ellipsoids-60-12-30-moved")
BLANK = records.Record("ellipsoids-60-12-30-moved", "sirt", 16, 0, "x")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return cells.take(cells.Cell.parse(BLANK.cell), 16, 0, tmp_path_factory.mktemp("data"))


def test_the_usual_cells_vary_every_axis_about_the_centre():
    names = [cell.name for cell in cells.CELLS]
    assert len(set(names)) == len(names) and 18 <= len(names) <= 24
    assert [cells.Cell.parse(name) for name in names] == list(cells.CELLS)
    for axis, values in {
        "phantom": set(cells.PHANTOMS),
        "reach": {50, 60, 70},
        "step": {2, 3, 6},
        "dose": {10, 30, 100, float("inf")},
        "moved": {False, True},
    }.items():
        assert {getattr(cell, axis) for cell in cells.CELLS} == values


def test_a_cells_tilts_fill_its_range():
    for cell in cells.CELLS:
        angles = np.array(cell.acquisition().angles)
        assert (angles.min(), angles.max()) == (-cell.reach, cell.reach)
        assert np.diff(angles) == pytest.approx(cell.step, rel=0.02)


@pytest.mark.parametrize("name", ["particles-60-3-30", "dendrite-60-3", "dendrite-60-3-0"])
def test_a_wrong_cell_is_refused(name):
    with pytest.raises(TomoinrError, match="is no cell; write"):
        cells.Cell.parse(name)


@pytest.mark.parametrize("text", ["tvv", "tv+poses", "siren:slow"])
def test_a_wrong_method_is_refused(text):
    with pytest.raises(TomoinrError, match="is no method; write"):
        methods.Method.parse(text)


def test_what_is_not_installed_is_skipped_and_named(monkeypatch, capsys):
    monkeypatch.setattr(quality, "Plugins", lambda: Plugins(builtin, installed=False))
    assert [m.text for m in quality.installed(["tv", "siren:7"])] == ["tv"]
    assert capsys.readouterr().out == "skipped siren:7: no volume is called 'siren'\n"


@pytest.mark.slow
def test_a_run_goes_on_where_it_stopped(tmp_path, monkeypatch, capsys):
    """One real process; then only what failed or is new is measured."""
    words = [*SMALL, "--out", str(tmp_path), "--methods"]
    quality.main([*words, "sirt"])
    results = tmp_path / "results.jsonl"
    (first,) = records.read(tmp_path).values()
    assert not first.failed and 0.2 < first.ssim < 1 and first.seconds > 0 and 0 < first.peak < 500
    tried = []

    def attempt(blank, data, threads):
        tried.append(blank.method)
        return replace(blank, failed="on purpose")

    monkeypatch.setattr(quality, "attempt", attempt)
    for _ in range(2):
        quality.run(quality.arguments([*words, "sirt", "tv"]), ALONE)
    quality.main([*words, "sirt", "voxels", "--report"])
    assert tried == ["tv", "tv"] and len(results.read_text().splitlines()) == 3
    assert "tv: on purpose" in (tmp_path / "quality.md").read_text()
    assert all((tmp_path / name).stat().st_size > 5000 for name in ("ssim.png", "time.png"))


def test_a_process_that_dies_stops_nothing(monkeypatch, data):
    class Dying:
        def __init__(self, *_): ...
        def __enter__(self): ...
        def __exit__(self, *_): ...
        def submit(self, *_):
            raise BrokenProcessPool

    monkeypatch.setattr(trial, "ProcessPoolExecutor", Dying)
    assert "died" in trial.attempt(BLANK, data, 1).failed


def test_true_poses_are_given_where_the_name_says(data):
    true, recorded = (
        trial.measure(replace(BLANK, method=m), data, 1) for m in ("sirt", "sirt+recorded")
    )
    assert max(true.dx, true.dy, true.rotation) < 1e-4
    assert 1 < recorded.dx < 3 and 1 < recorded.dy < 3 and 0.7 < recorded.rotation < 3
    assert true.ssim > recorded.ssim + 0.05 and true.wedge_fsc > recorded.wedge_fsc


@pytest.mark.parametrize(("method", "learns"), [("voxels:5", True), ("voxels:5+true", False)])
def test_poses_are_learned_unless_true_ones_are_given(data, method, learns):
    made = methods.Method.parse(method).solve(cells.load(data), moved=True, seed=0)
    assert made.found.recipe["poses"]["name"] == ("rigid" if learns else "fixed")
    assert made.found.history[-1].step == 5


@pytest.mark.parametrize(("wanted", "found"), [(0.05, 0.06), (0.5, 0.48), (0.002, 0.001875)])
def test_the_oracle_of_tv_is_its_best_weight(data, monkeypatch, wanted, found):
    case, truth = cells.load(data), np.random.default_rng(0).random((16, 16, 16))
    noise = np.random.default_rng(1).random(truth.shape)

    def timed(_, chosen, solver):
        return methods.Outcome(
            truth + 9 * abs(solver["weight"] - wanted) * noise, None, 2.0, chosen
        )

    monkeypatch.setattr(methods, "timed", timed)
    best = methods.best_weight(replace(case, truth=truth), {})
    assert best.chosen == f"weight {found:g}"


def test_the_oracle_of_sirt_keeps_the_best_checkpoint():
    truth = np.random.default_rng(0).random((16, 16, 16))
    noise = torch.from_numpy(np.random.default_rng(1).random(truth.shape))
    oracle = methods.Oracle(truth)
    for step in range(1, 201):
        off = abs(step - 38)
        voxels = (torch.from_numpy(truth) + 0.05 * off * noise)[None]
        oracle(Record(step, 0.0, 0.0), SimpleNamespace(voxels=lambda voxels=voxels: voxels))
    assert oracle.step == 40 and 0 < oracle.seconds < oracle.spent


def test_the_papers_way_learns(data):
    case = cells.load(data)
    losses = [r.loss for r in methods.Method.parse("paper:3").solve(case, True, 0).found.history]
    assert len(losses) == 3 and losses[-1] < losses[0]


def record(cell, method, ssim, **figures):
    usual = {"psnr": 30.0, "measured_fsc": 0.9, "wedge_fsc": 0.5, "seconds": 1.0, "peak": 50.0}
    poses = {"dx": 0.0, "dy": 0.0, "rotation": 0.0}
    return records.Record(cell, method, 16, 0, "x", ssim=ssim, **{**usual, **poses, **figures})


def test_verdicts_count_the_cells_that_both_have():
    table = report.tabulate(
        [
            *(record(c, "tv", 0.9) for c in "abc"),
            *(record(c, "sirt", 0.8) for c in "ab"),
            record("a", "auto", 0.94, wedge_fsc=0.7),
            record("b", "auto", 0.8951),
            record("c", "auto", 0.89),
            record("d", "auto", 0.1),
        ]
    )
    assert report.verdicts(table) == [
        "auto ≥ oracle tv − 0.005 in 2 of 3 cells; mean gain +0.0084 SSIM, +0.0667 wedge FSC; "
        "worst -0.0100; > oracle sirt in 2 of 2"
    ]


def test_the_report_tells_what_to_doubt():
    last = f"{methods.CHECKPOINTS[-1]} iterations"
    found = [
        record("a-moved", "sirt", 0.9, chosen=last),
        record("a-moved", "auto", 0.87, dx=0.25, dy=0.5, rotation=0.125),
        record("a-moved", "auto+true", 0.88),
        replace(record("b", "auto", 0.9), failed="no memory"),
    ]
    text = report.markdown(found, "Title")
    assert f"- a-moved, sirt: the best is the last tried, {last}" in text
    assert "- b, auto: no memory" in text
    assert "| a-moved | auto | 0.250 | 0.500 | 0.125 | 0.0100 |" in text
    assert "| a-moved | 0.900 / 30.0 / 0.500 / 1.0 | 0.870 /" in text


def test_the_last_record_counts_and_half_a_line_does_not(tmp_path):
    path = tmp_path / "results.jsonl"
    for found in (replace(BLANK, failed="once"), replace(BLANK, ssim=0.5)):
        records.append(path, found)
    path.write_text(path.read_text() + json.dumps({"cell": "cut"})[:-4] + "\n")
    (kept,) = records.read(tmp_path).values()
    assert kept.ssim == 0.5 and not kept.failed


def test_ranks_share_the_cells_and_one_puts_them_together(tmp_path, monkeypatch):
    measured = {}

    def attempt(blank, data, threads):
        measured.setdefault(rank, []).append(blank.cell)
        return replace(blank, ssim=0.5, seconds=1.0)

    monkeypatch.setattr(quality, "attempt", attempt)
    monkeypatch.setattr(quality, "take", lambda *_: None)
    words = ["--cells", "*", "--methods", "sirt", "--out", str(tmp_path)]
    for _ in range(2):  # the second time nothing is left to do
        for rank in range(3):
            quality.run(quality.arguments(words), Launch("mpiexec", rank, 3))
    every = [cell.name for cell in cells.CELLS]
    assert (
        sorted(name for some in measured.values() for name in some) == sorted(every)
        and len(measured) == 3
    )
    assert {key[0] for key in records.read(tmp_path)} == set(every)
    monkeypatch.setenv("PMI_RANK", "1")
    monkeypatch.setenv("PMI_SIZE", "3")
    quality.main(words)  # a rank among others writes no report
    assert not (tmp_path / "quality.md").exists()


def wave(shape, kx, ky, kz):
    """A plane wave of whole periods along x, y, z."""
    y, z, x = np.meshgrid(*(np.arange(n) / n for n in shape), indexing="ij")
    return np.cos(2 * np.pi * (kx * x + ky * y + kz * z) + 0.3)


@pytest.mark.parametrize("shape", [(24, 24, 24), (15, 21, 25), (12, 20, 24)])
def test_shells_tell_the_measured_from_the_wedge(shape):
    """A specimen tilted by +45° is seen along x = -z, by this package's sense of tilt."""
    seen, unseen = wave(shape, 5, 1, -5), wave(shape, 5, 1, 5)
    tilts = np.arange(-10.0, 61.0, 1.0)
    for angles, first, second in ((tilts, seen, unseen), (-tilts, unseen, seen)):
        found = fsc(first + second, first - second, angles)
        shell = np.nanargmax(np.where(np.isfinite(found.measured), found.measured, -1))
        assert found.measured[shell] == pytest.approx(1, abs=1e-3)
        assert np.nanmin(found.wedge) == pytest.approx(-1, abs=1e-3)


def test_white_noise_correlates_by_its_signal_in_both_regions():
    """Signal and noise of equal power: one half; no region is favoured."""
    rng = np.random.default_rng(0)
    signal, one, other = rng.normal(size=(3, 40, 40, 40))
    found = fsc(signal + one, signal + other, np.linspace(-60, 60, 41))
    assert found.means() == pytest.approx((0.5, 0.5), abs=0.03)
    assert found.frequency[-1] == 0.5 and len(found.wedge) == 20
    measured, wedge = fsc(signal, -3 * signal + 7, np.array([-60.0, 0.0, 60.0])).means(0.5)
    assert (measured, wedge) == pytest.approx((-1, -1))


def test_a_full_range_leaves_no_wedge():
    volume = np.random.default_rng(0).random((16, 16, 16))
    found = fsc(volume, volume, np.arange(-90.0, 90.0, 2.0))
    assert np.isnan(found.wedge).all() and np.isnan(found.means()[1])
    assert found.means()[0] == pytest.approx(1)


def test_unlike_shapes_have_no_shells():
    with pytest.raises(TomoinrError, match="have no shells"):
        fsc(np.ones((4, 4, 4)), np.ones((4, 4, 5)), np.array([0.0]))
