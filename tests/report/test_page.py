"""The page: whole, self-contained, true to the result, and honest about what is missing."""

import json
import os
import re
import shutil
import tomllib
from dataclasses import replace
from html import unescape
from importlib.resources import files

import numpy as np
import pytest

from tomoinr import TomoinrError
from tomoinr.io import save, save_reconstruction
from tomoinr.report import figure_names, paper, volume_files, volumes, write, write_pdf, write_png
from tomoinr.report.lattice import coarser
from tomoinr.report.page import SCRIPTS
from tomoinr.report.subject import read
from tomoinr.trust.again import one_channel

from .conftest import Page


@pytest.fixture
def folder(judged, tmp_path):
    """A copy, to be spoiled."""
    return shutil.copytree(judged, tmp_path / "copy")


def page_of(folder, result=None):
    content = write(folder, result, force=True)
    return Page((folder / "report.html").read_text("utf-8")), content


@pytest.fixture(scope="module")
def page(judged, result):
    return page_of(judged, result)[0]


def test_html_is_well_formed(page):
    assert page.faults == [] and page.open == []
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    targets = {value for tag, name, value in page.attributes if name in ("href", "for")}
    assert {target.removeprefix("#") for target in targets} <= set(ids)


def test_nothing_is_loaded(page, judged):
    loads = ("src", "srcset", "href", "action", "data", "poster")
    named = [value for _, name, value in page.attributes if name in loads]
    assert all(value.startswith("#") for value in named)
    text = (judged / "report.html").read_text("utf-8")
    known = "http://www.w3.org/2000/svg"  # a name, not an address
    assert not re.search(r"https?:|[\"'(]//", text.replace(known, ""))
    assert "@import" not in text and "url(" not in text and "fetch(" not in text
    assert "default-src 'none'" in text


def test_templates_are_in_the_package():
    templates = {path.name for path in (files("tomoinr.report") / "templates").iterdir()}
    assert templates == {"page.html", "style.css", "main.js", *(f"{name}.js" for name in SCRIPTS)}


def test_slices_decode_to_the_volume(page, result):
    table = page.content["volume"]
    assert table["shape"] == table["full"] == [14, 12, 16] and table["spacing"] == 4.0
    ours, classical = table["methods"]
    assert (ours["name"], classical["name"]) == ("tomoinr", "SIRT")
    (low, high), bytes_ = ours["scales"][0], page.blob(ours["blob"], 14, 12, 16)
    step = (high - low) / 255
    assert np.abs(low + step * bytes_ - result.voxels).max() <= 0.501 * step
    assert page.blob(classical["blob"], 14, 12, 16).max() == 255


def test_images_decode_in_the_order_of_their_angles(page, series):
    table = page.content["tilts"]
    order = np.argsort(series.angles.numpy())
    assert (
        table["angles"] == series.angles.numpy()[order].tolist() == page.content["poses"]["angle"]
    )
    assert table["sections"] == [series.sections[i] for i in order]
    (low, high), images = table["scales"][0], series.images[0].numpy()[order]
    found = {name: page.blob(name, 21, 14, 16) for name in ("measured", "predicted", "residual")}
    step, reach = (high - low) / 255, table["reach"][0]
    assert np.abs(low + step * found["measured"] - images).max() <= 0.501 * step
    rest = (found["measured"].astype(float) - found["predicted"]) * step
    shown = -reach + 2 * reach / 255 * found["residual"]
    inside = (found["residual"] > 0) & (found["residual"] < 255)
    assert np.abs(rest - shown)[inside].max() <= 1.01 * step + 1.01 * reach / 255
    assert len(table["chi2"]) == 21 and min(table["chi2"]) > 0


def test_what_is_large_is_shown_smaller_and_said(judged, result, monkeypatch):
    monkeypatch.setattr(volumes, "VOXELS", result.voxels.size / 8)
    page, _ = page_of(judged, result)
    table = page.content["volume"]
    assert table["shape"] == [7, 6, 8] and table["full"] == [14, 12, 16] and table["spacing"] == 8
    assert "2 times as large as those of the file (14 × 12 × 16)" in page.text
    (low, high), bytes_ = table["methods"][0]["scales"][0], page.blob("volume-0", 7, 6, 8)
    shown, wanted = low + (high - low) / 255 * bytes_, coarser(result.voxels, 2.0, (0, 1, 2))
    assert np.abs(shown - wanted).max() <= 0.501 * (high - low) / 255
    cut = table["cuts"]["xz"]  # the slice shown first, as the file has it
    (low, high), whole = cut["scales"][0], page.blob(cut["blob"], *cut["shape"])
    near = result.voxels[2 * table["start"][0] :][:2]
    off = np.abs(low + (high - low) / 255 * whole - near).max((1, 2))
    assert whole.shape == (12, 16) and off.min() <= 0.501 * (high - low) / 255


def test_error_bars_and_poses_go_together(page, judged, result):
    table = page.content["poses"]
    order = np.argsort(result.series.angles.numpy())
    assert table["dx"] == pytest.approx(result.poses.shift[order, 0].numpy() / 4, abs=1e-4)
    assert set(table["errors"]) == {"dx", "dy", "rotation"} and not table["held"]
    assert table["tilt"] == [0.0] * 21
    assert all(0 < bar < 1 for bar in table["errors"]["dx"])


def test_poses_held_have_no_bars(channels, plugins, tmp_path):
    one = one_channel(channels)
    save_reconstruction(tmp_path, one, plugins=plugins)
    table = page_of(tmp_path, one)[0].content["poses"]
    assert table["held"] and table["errors"] == {}


def test_from_files_and_from_memory_are_alike(series, plugins, tmp_path):
    import tomoinr

    stack = tmp_path / "stack.mrc"
    save(stack, series, plugins=plugins)
    loaded = tomoinr.TiltSeries.load(stack)
    found = tomoinr.reconstruct(loaded, solver="tv", steps=3, depth=12, plugins=plugins)
    for order in ("imod", "xyz"):
        folder = tmp_path / order
        save_reconstruction(folder, found, order, plugins=plugins)
        memory, _ = page_of(folder, found)
        files_, content = page_of(folder)
        assert content.missing == ("trust.json: it is not in the folder",)
        assert files_.content == memory.content and files_.scripts == memory.scripts


def test_an_old_folder_says_what_is_missing(folder):
    for name in ("trust.json", "poses.json", "history.csv", "provenance.json", "recipe.toml"):
        (folder / name).unlink()
    page, content = page_of(folder)
    for name in ("trust.json", "poses.json", "history.csv", "provenance.json", "recipe.toml"):
        assert any(line.startswith(name) for line in content.missing) and name in page.text
    assert any(line.startswith("SIRT") for line in content.missing)
    kept = page.content
    assert kept["fsc"] is kept["course"] is kept["poses"] is kept["tilts"] is None
    assert kept["volume"]["shape"] == [14, 12, 16] and "not judged" in page.text
    assert page.faults == []


def test_without_a_volume_there_is_no_report(folder):
    (folder / "volume.mrc").unlink()
    with pytest.raises(TomoinrError, match=r"there is no volume\.mrc"):
        write(folder, force=True)


def test_the_verdict_on_an_earlier_result_is_not_taken(folder, result):
    os.utime(folder / "trust.json", (1, 1))
    page, content = page_of(folder, result)
    assert page.content["fsc"] is None and any("earlier" in line for line in content.missing)


def test_warnings_come_first(folder, result):
    trust = folder / "trust.json"
    table = json.loads(trust.read_text()) | {"warnings": ["The <b>end</b> is near."]}
    trust.write_text(json.dumps(table))
    page, _ = page_of(folder, result)
    text = (folder / "report.html").read_text("utf-8")
    said = text.index("The &lt;b&gt;end&lt;/b&gt; is near.")
    assert text.index("<h1") < said < min(text.index('class="tile"'), text.index('id="slices"'))
    assert "1 warning" in page.text and page.faults == []


def test_text_of_strangers_stays_text(channels, plugins, tmp_path):
    save_reconstruction(tmp_path, one_channel(channels), plugins=plugins)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("# </pre></script><script>alert(1)</script>\n" + recipe.read_text())
    page, _ = page_of(tmp_path, channels)
    assert page.faults == [] and page.content["volume"]["channels"] == ["HAADF", "Ti </script>"]
    assert "<script>alert(1)" in page.text  # as letters


def test_every_channel_is_there(channels, plugins, tmp_path):
    save_reconstruction(tmp_path, one_channel(channels), plugins=plugins)
    page, _ = page_of(tmp_path, channels)
    for number, method in enumerate(page.content["volume"]["methods"]):
        bytes_ = page.blob(method["blob"], 2, 14, 12, 16)
        for channel, (low, high) in zip(bytes_, method["scales"], strict=True):
            assert high > low and channel.max() == 255
        if number == 0:
            (low, high), last = method["scales"][1], bytes_[1]
            shown = low + (high - low) / 255 * last
            assert np.abs(shown - channels.voxels[1]).max() <= 0.501 * (high - low) / 255
    assert page.blob("measured", 2, 21, 14, 16).shape[0] == len(page.content["tilts"]["left"]) == 2


def test_channels_are_read_from_a_file_each(channels, plugins, tmp_path):
    save_reconstruction(tmp_path, one_channel(channels), plugins=plugins)
    (tmp_path / "volume.mrc").rename(tmp_path / "volume-HAADF.mrc")
    save(tmp_path / "volume-Ti.mrc", one_channel(channels, 1), plugins=plugins)
    found = read(tmp_path, plugins=plugins)
    assert found.channels == ("HAADF", "Ti")
    assert np.array_equal(found.voxels, channels.voxels)


@pytest.mark.parametrize(
    "files_", [("Ti_K", "b"), ("0-Ti_K", "1-b"), ("Ti K", "b")], ids=["plain", "numbered", "as is"]
)
def test_channels_of_files_go_to_the_channels_of_the_series(files_):
    names = tuple(sorted(files_, reverse=True))
    assert [names[i] for i in volume_files._order(names, ("Ti K", "b"))] == list(files_)


def test_the_course_shows_where_it_stopped_and_was_best(folder, result):
    lines = ["step,loss,seconds,stage,validation,moved"]
    for step in range(1, 3001):
        judged = f"{0.5 + abs(step - 2000) / 1e4}" if step % 500 == 0 else ""
        lines.append(
            f"{step},{1 / step},{step / 10},{'find' if step < 700 else 'refine'},{judged},"
        )
    (folder / "history.csv").write_text("\n".join(lines) + "\n")
    table = page_of(folder, result)[0].content["course"]
    assert table["best"] == {"step": 2000, "validation": 0.5}
    assert table["stopped"] == {"step": 3000, "seconds": 300}
    assert table["stages"] == [{"step": 1, "name": "find"}, {"step": 700, "name": "refine"}]
    assert len(table["step"]) < 2000 and table["step"][-1] == 3000
    assert sum(value is not None for value in table["validation"]) == 6


def test_figures_are_written_and_nothing_is_replaced(folder, result, tmp_path, monkeypatch):
    monkeypatch.setattr(paper, "DPI", 40)
    content = write(folder, result, force=True)
    names = write_png(tmp_path / "figures", content)
    assert tuple(names) == figure_names()
    assert all((tmp_path / "figures" / name).read_bytes()[:4] == b"\x89PNG" for name in names)
    pdf = write_pdf(tmp_path / "all.pdf", content)
    pages = re.findall(rb"/Type /Page\b", pdf.read_bytes())
    assert len(pages) == 1 + len(names)
    for again in (
        lambda: write_png(tmp_path / "figures", content),
        lambda: write_pdf(tmp_path / "all.pdf", content),
        lambda: write(folder, result),
    ):
        with pytest.raises(TomoinrError, match="already exists"):
            again()


def test_figures_do_without_what_is_missing(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(paper, "DPI", 40)
    for name in ("trust.json", "poses.json", "history.csv", "recipe.toml"):
        (folder / name).unlink()
    content = write(folder, force=True)
    assert write_png(tmp_path / "figures", content) == ["slices.png", "spectrum.png"]


def test_a_result_that_is_the_same_everywhere_has_a_page(folder, result):
    flat = replace(result, voxels=np.zeros_like(result.voxels))
    page, _ = page_of(folder, flat)
    assert (page.blob("volume-0", 14, 12, 16) == 0).all() and page.faults == []


def test_the_recipe_shown_is_the_recipe(page, judged):
    text = (judged / "report.html").read_text("utf-8")
    shown = unescape(re.search(r"<pre[^>]*>(.*?)</pre>", text, re.DOTALL)[1])
    wanted = (judged / "recipe.toml").read_text("utf-8")
    assert tomllib.loads(shown) == tomllib.loads(wanted)
    assert "\n    " in wanted and "\n    " not in shown  # lists of angles on one line
