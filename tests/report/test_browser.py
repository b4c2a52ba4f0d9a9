"""The page in a real browser: what moves, what keys do, how wide it is, and that it is quiet."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from tomoinr.io import save_reconstruction
from tomoinr.report import volumes, write
from tomoinr.trust.again import one_channel

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
SEEN = {"y": 3, "z": 5, "x": 9}  # a bright voxel in a box of (y, z, x) = (14, 12, 16)
PIXELS = """
(view) => Array.from(view.querySelector('canvas').getContext('2d')
    .getImageData(0, 0, view.querySelector('canvas').width, view.querySelector('canvas').height)
    .data).filter((_, i) => i % 4 < 3)
"""


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def report(channels, plugins, tmp_path_factory):
    """Of two channels; the first has one bright voxel."""
    folder = tmp_path_factory.mktemp("report")
    voxels = channels.voxels.copy()
    voxels[0] *= 0.1
    voxels[0][tuple(SEEN.values())] = 10 * voxels[0].max()
    seen = replace(channels, voxels=voxels)
    save_reconstruction(folder, one_channel(seen), plugins=plugins)
    write(folder, seen)
    return folder / "report.html"


@pytest.fixture
def open_page(browser, report):
    """A page of some width and scheme; whatever it says or asks for is a fault."""
    opened = []

    def open_(width=1280, scheme="light", path=report):
        page = browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
        )
        page.faults = []
        page.on("console", lambda said: page.faults.append(said.text))
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.on(
            "request", lambda asked: asked.url == path.as_uri() or page.faults.append(asked.url)
        )
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]")
        opened.append(page)
        return page

    yield open_
    for page in opened:
        assert page.faults == []
        page.close()


def pixels(page, where):
    """Red, green, blue of a canvas, its first row at the bottom: (rows, columns, 3)."""
    view = page.locator(where)
    size = view.locator("canvas").evaluate("(canvas) => [canvas.height, canvas.width]")
    return np.array(view.evaluate(PIXELS), np.uint8).reshape(*size, 3)[::-1]


def view(plane, method="tomoinr"):
    return f'.view[data-plane="{plane}"][data-method="{method}"]'


def brightness(page, name):
    """Of the page's ink or paper."""
    colour = page.locator("body").evaluate(f"(body) => getComputedStyle(body).{name}")
    return sum(map(int, colour.removeprefix("rgb(").rstrip(")").split(",")))


def slide(page, slider, value):
    page.locator(f"#{slider}").evaluate(
        "(input, v) => { input.value = v; input.dispatchEvent(new Event('input')); }", str(value)
    )


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1280, "dark")])
def test_the_page_fits_and_is_quiet(open_page, width, scheme):
    page = open_page(width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    wide = page.evaluate(
        "(w) => [...document.querySelectorAll('section, section > *, canvas, .plot svg')]"
        ".filter((e) => e.getBoundingClientRect().right > w + 0.5).map((e) => e.outerHTML)",
        width,
    )
    assert wide == []
    assert (brightness(page, "color") > brightness(page, "backgroundColor")) == (scheme == "dark")


def test_a_voxel_is_where_it_should_be_in_every_slice(open_page):
    page = open_page()
    for axis, index in SEEN.items():
        slide(page, f"slice-{axis}", index)
    slide(page, "window", 100)
    slide(page, "level", 700)
    for plane, row, column in (("xy", "y", "x"), ("xz", "z", "x"), ("zy", "y", "z")):
        shown = pixels(page, view(plane)).max(2)
        assert np.argwhere(shown > 200).tolist() == [[SEEN[row], SEEN[column]]]


def test_sliders_move_both_pictures_and_no_others(open_page):
    page, axes = open_page(), {"xy": "z", "xz": "y", "zy": "x"}
    views = [(plane, method) for plane in axes for method in ("tomoinr", "SIRT")]
    for moved, axis in axes.items():
        before = [pixels(page, view(*one)) for one in views]
        at = int(page.locator(f"#slice-{axis}").input_value())
        slide(page, f"slice-{axis}", at - 2 if at > 6 else at + 2)
        for (plane, method), old in zip(views, before, strict=True):
            assert np.array_equal(old, pixels(page, view(plane, method))) == (plane != moved)


def test_keys_move_the_cross_and_the_slices(open_page):
    page = open_page()
    for axis in SEEN:
        slide(page, f"slice-{axis}", 6)
    page.locator(view("xy")).focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "PageDown"):
        page.keyboard.press(key)
    assert page.evaluate("window.report.slices.at") == {"x": 8, "y": 7, "z": 5}
    assert page.locator("#slice-x").input_value() == "8"
    page.locator("#slice-y").focus()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("window.report.slices.at.y") == 6
    outline = page.locator("#slice-y").evaluate("(e) => getComputedStyle(e).outlineStyle")
    assert outline == "solid"


def test_every_control_can_be_reached_and_has_a_name(open_page):
    page = open_page()
    nameless = page.evaluate(
        "[...document.querySelectorAll('input, select, button')].filter((e) => !e.labels?.length"
        " && !e.ariaLabel && !e.textContent.trim()).map((e) => e.outerHTML)"
    )
    assert nameless == []
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    assert {"theme", "channel", "level", "window", "reset", "slice-y", "tilt"} <= reached


def test_a_click_moves_the_other_slices(open_page):
    page = open_page()
    box = page.locator(view("xz")).bounding_box()
    page.mouse.click(box["x"] + box["width"] * 9.5 / 16, box["y"] + box["height"] * (1 - 5.5 / 12))
    assert page.evaluate("[window.report.slices.at.x, window.report.slices.at.z]") == [9, 5]


def test_contrast_and_reset(open_page):
    page = open_page()
    slide(page, "slice-z", SEEN["z"])
    before = pixels(page, view("xy")), pixels(page, view("xy", "SIRT"))
    slide(page, "window", 40)
    slide(page, "level", 20)
    brighter = pixels(page, view("xy")), pixels(page, view("xy", "SIRT"))
    assert all(b.mean() > a.mean() for a, b in zip(before, brighter, strict=True))
    page.locator("#invert").check()
    assert (pixels(page, view("xy")) == 255 - brighter[0]).mean() > 0.95
    page.locator("#reset").click()
    assert not page.locator("#invert").is_checked()
    assert np.array_equal(pixels(page, view("xy")), before[0])


def test_channels_one_by_one_and_together(open_page):
    page = open_page()
    first = pixels(page, view("xy"))
    assert page.locator("#channel option").all_text_contents() == [
        "HAADF", "Ti </script>", "all channels, in colour",
    ]  # fmt: skip
    page.locator("#channel").select_option("1")
    second = pixels(page, view("xy"))
    assert not np.array_equal(first, second) and (second[..., 0] == second[..., 2]).all()
    page.locator("#channel").select_option("all")
    mixed = pixels(page, view("xy"))
    assert (mixed[..., 0] != mixed[..., 1]).any()
    page.get_by_label("show HAADF").uncheck()
    page.get_by_label("colour of Ti </script>").fill("#ff0000")
    alone = pixels(page, view("xy"))
    assert np.array_equal(alone[..., 0], second[..., 0]) and not alone[..., 1:].any()


def test_the_scrubber_goes_through_the_tilts(open_page):
    page = open_page()
    images = "#tilt-images figure:nth-child({}) .view"
    start = [pixels(page, images.format(i)) for i in (1, 2, 3)]
    assert page.locator("#tilt-value").text_content().startswith("0°")
    page.locator("#tilt").focus()
    page.keyboard.press("Home")
    assert page.locator("#tilt-value").text_content().startswith("−60°")
    for i, before in zip((1, 2, 3), start, strict=True):
        assert not np.array_equal(pixels(page, images.format(i)), before)
    chosen = page.locator("#chi2-plot rect.chosen")
    assert chosen.count() == 1
    bars = page.locator("#chi2-plot rect")
    bars.nth(20).click(force=True)
    assert page.locator("#tilt").input_value() == "20"


def test_the_wedge_and_the_curves_are_drawn(open_page):
    page = open_page()
    lines = page.locator("#spectra line[data-angle]")
    angles = lines.evaluate_all("(all) => all.map((e) => Math.round(e.dataset.angle))")
    assert sorted(angles) == [-60, -60, 60, 60]
    assert page.locator("#course-plot path").count() >= 1
    assert page.locator("#halves .message").text_content().startswith("Not judged")
    page.locator("#course-plot svg").hover()
    assert "step" in page.locator("#course-plot .tip").text_content()


def test_the_scheme_can_be_chosen(open_page):
    page = open_page(scheme="light")
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    for _ in range(2):
        page.locator("#theme").click()
    assert page.evaluate(colour) != light
    page.locator("#theme").click()
    assert page.evaluate(colour) == light


def test_error_bars_halves_and_paper(browser, open_page, judged, result):
    write(judged, result, force=True)
    page = open_page(path=judged / "report.html")
    assert page.locator("#poses-plots .plot").count() == 4
    assert page.locator("#poses-plots path.error").count() == 3 * 21
    assert page.locator("#fsc-plot path").count() == 2
    assert page.locator("#channel-field").is_hidden()
    page.emulate_media(media="print")
    assert page.locator(".top").is_hidden() and page.locator("#poses-plots").is_visible()


def test_a_folder_with_only_a_volume_has_a_quiet_page(open_page, judged, tmp_path):
    shutil.copy(judged / "volume.mrc", tmp_path)
    write(tmp_path)
    page = open_page(390, path=tmp_path / "report.html")
    assert page.locator(".message").count() == 6
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_the_first_slices_of_a_large_volume_are_whole(
    open_page, channels, plugins, tmp_path, monkeypatch
):
    monkeypatch.setattr(volumes, "VOXELS", channels.voxels.size / 8)
    save_reconstruction(tmp_path, one_channel(channels), plugins=plugins)
    write(tmp_path, channels)
    page = open_page(path=tmp_path / "report.html")
    assert pixels(page, view("xy")).shape == (14, 16, 3)
    assert pixels(page, view("xy", "SIRT")).shape == (7, 8, 3)
    assert page.locator(".plane").first.text_content().count("at full size") == 1
    page.locator("#slice-z").focus()
    page.keyboard.press("ArrowLeft")
    assert pixels(page, view("xy")).shape == (7, 8, 3)
