"""`tomoinr view`: what is shown is what the file holds, in a window, a terminal or a picture."""

import io
import webbrowser

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib import pyplot
from rich.console import Console

from tomoinr import Grid, Poses, Reconstruction, TiltSeries
from tomoinr.cli import seen, view
from tomoinr.cli.preview import RAMP, preview
from tomoinr.cli.seen import look
from tomoinr.cli.window import has_display, window
from tomoinr.io import save
from tomoinr.plugins import Plugins

matplotlib.use("Agg")


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A stack whose image i is i, but in a corner, and a volume with one bright voxel."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    images = torch.arange(5.0)[:, None, None].expand(5, 8, 12).clone()
    images[:, :2, :2] = 9
    series = TiltSeries(images, torch.tensor([-40.0, -20, 0, 20, 40]))
    save(tmp_path / "stack.mrc", series)
    voxels = np.zeros((6, 8, 12), np.float32)
    voxels[1, 2, 3] = 1
    result = Reconstruction(voxels, Grid((6, 8, 12)), Poses.of(series.angles), (), series)
    save(tmp_path / "volume.mrc", result)
    save(tmp_path / "turned.mrc", result, order="xyz")
    return tmp_path


@pytest.mark.parametrize("name", ["volume.mrc", "turned.mrc"])
def test_a_volume_is_seen_in_three_directions(files, name):
    planes = look(files / name, None, Plugins()).planes
    assert [(plane.count, plane.first) for plane in planes] == [(6, 1), (8, 2), (12, 3)]
    assert [plane.at(plane.first).argmax() for plane in planes] == [2 * 12 + 3, 12 + 3, 8 + 2]
    assert planes[0].at(0).max() == 0


def test_a_stack_is_seen_image_by_image_from_the_untilted_one(files):
    (plane,) = look(files / "stack.mrc", None, Plugins()).planes
    assert (plane.count, plane.first, plane.several) == (5, 2, (0, 1, 2, 3, 4))
    assert plane.name(3) == "image 3, 20°" and plane.at(3)[4, 4] == 3


def test_a_volume_too_large_for_a_screen_is_thinned(files, monkeypatch):
    monkeypatch.setattr(seen, "MOST", 6 * 8 * 12 // 8)
    found = look(files / "volume.mrc", None, Plugins())
    assert [plane.count for plane in found.planes] == [3, 4, 6] and "every 2th" not in found.title
    assert "every second voxel" in found.title and found.planes[0].name(2) == "y = 4"


def test_sliders_move_through_the_volume_and_grey_levels(files):
    figure, sliders = window(look(files / "volume.mrc", None, Plugins()))
    shown = [ax.images[0] for ax in figure.axes if ax.images]
    assert [image.get_array().max() for image in shown] == [1, 1, 1]
    sliders[0].set_val(4)
    assert shown[0].get_array().max() == 0 and "y = 4" in shown[0].axes.get_title()
    sliders[-1].set_val((0.25, 0.5))
    assert {image.get_clim() for image in shown} == {(0.25, 0.5)}
    pyplot.close(figure)


def test_a_terminal_shows_rows_upwards_and_bright_as_dense(files):
    told = io.StringIO()
    console = Console(file=told, width=38, color_system=None)
    preview(look(files / "stack.mrc", None, Plugins()), console)
    title, names, *lines = told.getvalue().splitlines()
    assert "5 images of 8 × 12" in title and names.split("  ")[0] == "image 0, -4"
    assert lines[-1][0] == RAMP[-1] and RAMP[-1] not in lines[0]  # the corner (0, 0) is below left
    assert lines[0][0] == " " and lines[0][-1] != " "  # the first image is dark, the last is not


def test_colour_where_there_is_some(files):
    told = io.StringIO()
    console = Console(file=told, width=38, color_system="truecolor", force_terminal=True)
    preview(look(files / "volume.mrc", None, Plugins()), console)
    assert "▀" in told.getvalue() and "38;2;255;255;255" in told.getvalue()


def test_a_picture_or_a_preview_without_a_display(program, files):
    assert not has_display({}) and has_display({"DISPLAY": ":0"})
    picture = files / "p.png"
    code, printed, _ = program("view", files / "volume.mrc", "--png", picture)
    assert code == 0 and "p.png" in printed and pyplot.imread(picture).std() > 0.1
    code, _, error = program("view", files / "volume.mrc", "--png", picture)
    assert code == 2 and "already exists" in error
    code, _, error = program("view", files / "volume.mrc", "--png", files / "p.xyz")
    assert code == 2 and "name a .png" in error
    code, printed, error = program("view", files / "stack.mrc")
    assert code == 0 and "image 2, 0°" in printed and "no display" in error
    assert program("view", files / "stack.mrc", "--text")[2] == ""


def test_a_report_is_opened_where_there_is_a_display(program, files, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    monkeypatch.setattr(view, "has_display", lambda: True)
    (files / "report.html").write_text("<p>")
    (files / "recipe.toml").write_text("")
    assert program("view", files)[0] == 0
    assert opened == [(files / "report.html").as_uri()]
    assert program("view", files, "--text")[0] == 0 and len(opened) == 1
