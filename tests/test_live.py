"""Looks at a run under way: a picture, a page, TensorBoard; cheap, whole, and never in the way."""

import io
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import tomoinr_inr
from tomoinr import Record, TomoinrError, builtin, reconstruct
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.doing import doing
from tomoinr.geometry import Grid
from tomoinr.live import LivePage, Preview, TensorBoard
from tomoinr.live.budget import Budget
from tomoinr.live.curve import MOST, Curve
from tomoinr.live.planes import greys, planes
from tomoinr.plugins import Plugins
from tomoinr.testing.solvers import small_problem

PLUGINS = Plugins(builtin, tomoinr_inr, installed=False)


@pytest.fixture(scope="module")
def series():
    acquisition = Acquisition(tuple(range(-60, 61, 15)), dose=200)
    return simulate("nanoparticles", (6, 10, 10), acquisition, seed=0).series()


def work(series, *observers, **chosen):
    chosen = {"solver": "sirt", "steps": 6} | chosen
    return reconstruct(series, plugins=PLUGINS, observers=observers, **chosen)


@pytest.fixture
def always(monkeypatch):
    """Looks may cost what they will: there is one after every step."""
    monkeypatch.setattr("tomoinr.live.budget.SHARE", 1.0)


class Clock:
    """Goes when it is told to."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


@pytest.mark.parametrize(("cost", "looks"), [(0.001, 50), (0.1, 10), (3.0, 1)])
def test_looks_take_a_hundredth_of_the_time(monkeypatch, cost, looks):
    """Every two seconds, in a hundred, if they are cheap; less often if they are dear."""
    clock, seen = Clock(), 0
    monkeypatch.setattr("tomoinr.live.budget.time", clock)
    budget = Budget(every=2.0)
    for _ in range(10_000):
        clock.now += 0.01
        if budget.due:
            with budget.spent():
                clock.now += cost
            seen += 1
    assert looks - 2 <= seen <= looks
    assert seen * cost <= max(0.011 * clock.now, cost)


@pytest.mark.parametrize("shape", [(5, 6, 7), (6, 7, 8), (1, 4, 4)])
@pytest.mark.parametrize("linear", [True, False])
def test_planes_are_the_middle_voxels(shape, linear, monkeypatch):
    """Whether they are taken as they are, or asked for on lattices of their own."""
    if not linear:
        monkeypatch.setattr("tomoinr.builtin.voxels.Voxels.abilities", frozenset())
    problem = small_problem()
    grid = Grid(shape, 2.5, (3.0, -2.0, 1.0))
    volume = type(problem.volume)(problem.volume.options, grid, 1)
    volume.values.data = torch.rand(1, *shape)
    problem = replace(problem, volume=volume, grid=grid, scale=3.0)
    voxels = 3 * volume.values.detach()[0].numpy()
    y, z, x = (n // 2 for n in shape)
    for found, wanted in zip(
        planes(problem), (voxels[:, z], voxels[y], voxels[:, :, x]), strict=True
    ):
        assert found == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("linear", [True, False])
def test_planes_of_large_boxes_are_coarser(monkeypatch, linear):
    monkeypatch.setattr("tomoinr.live.planes.LARGEST", 4)
    if not linear:
        monkeypatch.setattr("tomoinr.builtin.voxels.Voxels.abilities", frozenset())
    assert all(max(plane.shape) <= 4 for plane in planes(small_problem()))


def test_greys_show_what_varies():
    picture = np.zeros((20, 30))
    picture[:2] = 7
    bottom = np.asarray(greys([picture])[0])
    assert bottom.shape == (20, 30) and bottom[-1, 0] == 255 and bottom[0, 0] == 0  # rows go up
    assert np.asarray(greys([np.ones((3, 3))])[0]).max() == 0


def test_long_courses_are_thinned_but_keep_their_shape():
    curve = Curve()
    for i in range(1, 10 * MOST):
        curve.take(Record(i, 1 / i, i, "a" if i < 3000 else "b"))
    drawn = curve.drawing()
    assert MOST / 2 - 1 <= len(drawn.loss) <= MOST and drawn.scale == "log"
    steps, heights = np.array(drawn.loss).T
    assert heights == pytest.approx(1 - np.log(steps / steps[0]) / np.log(steps[-1] / steps[0]))
    assert drawn.stages == pytest.approx([0.5], abs=0.01)


def test_courses_below_zero_are_drawn_as_they_are():
    curve = Curve()
    for i, loss in enumerate((1.0, -1.0, 0.0), start=1):
        curve.take(Record(i, loss, i, validation=0.5 if i > 1 else None))
    drawn = curve.drawing()
    assert [y for _, y in drawn.loss] == [1, 0, 0.5] and len(drawn.validation) == 2
    assert (drawn.low, drawn.high, drawn.scale) == (-1, 1, "linear")


def test_a_preview_is_whole_at_every_moment(always, series, tmp_path):
    seen = []

    def look(record, problem):
        if (tmp_path / "now.png").is_file():
            with Image.open(tmp_path / "now.png") as picture:
                picture.load()
                seen.append(picture.size)

    work(series, Preview(tmp_path / "now.png", every=0), look)
    assert len(seen) == 6 and len(set(seen)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["now.png"]


def test_a_preview_changes_with_the_volume(series, tmp_path):
    def picture(steps):
        work(series, Preview(tmp_path / "now.png"), steps=steps)
        return np.asarray(Image.open(tmp_path / "now.png").convert("L"))[60:380]

    assert np.abs(picture(1).astype(int) - picture(30)).mean() > 1


@pytest.mark.parametrize("solver", ["auto", "joint"])
@pytest.mark.parametrize("volume", ["voxels", "siren"])
def test_every_solver_can_be_watched(always, series, tmp_path, solver, volume):
    if (solver, volume) == ("auto", "siren"):
        solver = {"name": "joint", "half_size": 0.5, "jitter": True}
    with Preview(tmp_path / "now.png", every=0) as preview, LivePage(tmp_path, every=0) as page:
        work(series, preview, page, solver=solver, volume=volume, poses="fixed", steps=12)
    assert (tmp_path / "now.png").is_file() and (tmp_path / "live.html").is_file()


def test_a_look_that_fails_stops_nothing(series, tmp_path, caplog):
    (tmp_path / "gone").mkdir()
    preview = Preview(tmp_path / "gone" / "now.png", every=0)
    (tmp_path / "gone").rmdir()
    (tmp_path / "gone").write_text("in the way")
    assert len(work(series, preview).history) == 6
    (told,) = (r.getMessage() for r in caplog.records if r.name == "tomoinr.live")
    assert str(tmp_path / "gone" / "now.png") in told and "no more of it" in told


@pytest.mark.parametrize("name", ["now.jpg", "missing/now.png"])
def test_a_preview_that_cannot_be_is_refused_at_once(tmp_path, name):
    with pytest.raises(TomoinrError, match=r"now\.(jpg|png): "):
        Preview(tmp_path / name)


def test_a_page_needs_nothing_else_and_ends(always, series, tmp_path):
    running = []

    def look(record, problem):
        running.append((tmp_path / "a<b" / "live.html").read_text("utf-8"))

    with LivePage(tmp_path / "a<b", every=0) as page:
        work(series, page, look)
        with doing("trust & so on"):
            after = (tmp_path / "a<b" / "live.html").read_text("utf-8")
    ended = (tmp_path / "a<b" / "live.html").read_text("utf-8")
    for text in (*running, after, ended):
        assert "a&lt;b" in text and not re.search(r"https?://|src=\"(?!data:)|\$\w", text)
        assert text.count("data:image/png;base64,") == 3
    assert all("http-equiv" in text for text in (*running, after)) and "http-equiv" not in ended
    assert "<h1>trust &amp; so on</h1>" in after and "<h1>finished</h1>" in ended
    assert "step 3 of 6" in running[2] and "50%" in running[2]
    assert "step 6 of 6" in ended and "100%" in ended


def test_a_page_tells_of_a_run_that_was_stopped(always, series, tmp_path):
    def stop(record, problem):
        if record.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), LivePage(tmp_path, every=0) as page:
        work(series, page, stop)
    text = (tmp_path / "live.html").read_text("utf-8")
    assert "<h1>stopped</h1>" in text and "step 3 of 6" in text and "http-equiv" not in text


def test_a_rank_that_does_not_speak_writes_nothing(series, tmp_path):
    with LivePage(tmp_path / "out", speaks=False), doing("something"):
        pass
    assert not (tmp_path / "out").exists()


def test_a_browser_shows_the_page(series, tmp_path):
    """Three pictures, two lines; wide and narrow; nothing to complain of."""
    browser = pytest.importorskip("playwright.sync_api")
    chromium = Path("/usr/bin/chromium")
    if not chromium.is_file():
        pytest.skip("there is no Chromium")
    solver = {"name": "joint", "patience": 1.0}
    work(series, LivePage(tmp_path), solver=solver, poses="fixed", steps=20)
    with browser.sync_playwright() as playwright:
        tab = playwright.chromium.launch(executable_path=str(chromium)).new_page()
        said = []
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.goto((tmp_path / "live.html").as_uri())
        sizes = tab.evaluate("[...document.images].map(i => i.naturalWidth)")
        assert sizes == [10, 10, 10] and tab.locator("polyline").count() == 2
        for width in (360, 1280):
            tab.set_viewport_size({"width": width, "height": 800})
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert said == []


@pytest.fixture
def logged(tmp_path):
    """What TensorBoard reads back."""
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

    def read():
        found = reading.EventAccumulator(str(tmp_path / "log"), {"images": 0, "tensors": 0})
        return found.Reload()

    return read


def test_tensorboard_gets_it_all(always, series, tmp_path, logged):
    solver = {"name": "joint", "patience": 1.0}
    with TensorBoard(tmp_path / "log", every=0) as board:
        board.recipe({"run": {"seed": 3}})
        result = work(series, board, solver=solver, poses="fixed", steps=25)
        board.recipe({"run": {"seed": 4}})
    found = logged()
    for name, key in (("loss", "loss"), ("validation", "validation")):
        events = found.Scalars(name)
        known = [(r.step, getattr(r, key)) for r in result.history if getattr(r, key) is not None]
        assert [event.step for event in events] == [step for step, _ in known]
        assert [event.value for event in events] == pytest.approx([value for _, value in known])
    assert all(event.value > 0 for event in found.Scalars("steps a second"))
    assert "poses moved (px)" not in found.Tags()["scalars"]  # they are fixed
    slices = [tag for tag in found.Tags()["images"] if tag.startswith("slices/")]
    assert len(slices) == 3 and len(found.Images(slices[0])) == 25
    picture = Image.open(io.BytesIO(found.Images(slices[1])[-1].encoded_image_string))
    assert picture.size == (10, 10)
    recipe = [e.tensor_proto.string_val[0].decode() for e in found.Tensors("recipe/text_summary")]
    assert ["seed = 3" in recipe[0], "seed = 4" in recipe[1]] == [True, True]


def test_a_run_that_goes_on_replaces_what_it_does_again(tmp_path, logged):
    problem = small_problem()
    for first, last in ((1, 6), (4, 8)):
        with TensorBoard(tmp_path / "log") as board:
            for step in range(first, last + 1):
                board(Record(step, float(first), step, of=8), problem)
    told = [(event.step, event.value) for event in logged().Scalars("loss")]
    assert told == [(1, 1), (2, 1), (3, 1), (4, 4), (5, 4), (6, 4), (7, 4), (8, 4)]


def test_tensorboard_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(TomoinrError, match=r"pip install 'tomoinr\[tensorboard\]'"):
        TensorBoard(tmp_path)
