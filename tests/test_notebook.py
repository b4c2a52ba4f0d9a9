"""What a notebook shows of a series and of a result: small, whole, true."""

import base64
import io
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from tomoinr import Reconstruction, Record, TiltSeries
from tomoinr.geometry import Grid, Poses

ANGLES = (10.0, -50.0, 0.5, 60.0)


def series(size=(5, 7), **more):
    return TiltSeries(torch.rand(4, *size), ANGLES, **more)


def result(shape=(4, 5, 6), **more):
    voxels = np.random.default_rng(0).random(shape, np.float32)
    history = (Record(1, 0.5, 0.1), Record(2, 0.25, 200.0))
    made = Reconstruction(
        voxels, Grid(shape[-3:], 2.5), Poses.of(torch.tensor(ANGLES)), history, series()
    )
    return replace(made, **more)


def pictures(html):
    data = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(d)))) for d in data]


def words(html):
    return re.sub(r"<[^>]*>", " ", html)


def test_a_series_shows_its_lowest_smallest_and_highest_tilt():
    images = torch.zeros(4, 5, 7)
    for i in range(4):
        images[i, :, i] = 1  # each image has its own bright column
    html = TiltSeries(images, ANGLES, 2.5, source="a.mrc")._repr_html_()
    assert [int(p[0].argmax()) for p in pictures(html)] == [1, 2, 3]
    told = words(html)
    for part in ("4 of 5 × 7", "-50° to 60°", "2.5 Å", "a.mrc", "-50° · section 1"):
        assert part in told
    assert "channels" not in told and "tilt axis" not in told


def test_a_result_shows_its_middle_planes_and_its_course():
    html = result()._repr_html_()
    assert [p.shape for p in pictures(html)] == [(4, 6), (5, 6), (4, 5)]
    told = words(html)
    for part in ("4 × 5 × 6", "2.5 Å", "2 in 3 min", "loss 0.25"):
        assert part in told


@pytest.mark.parametrize("made", [series(source="<b>&"), result(notes=("<script>", "5 & 6"))])
def test_what_users_wrote_is_text(made):
    html = made._repr_html_()
    assert "<script" not in html and "<b>&<" not in html
    assert not re.search(r"https?://", html)  # nothing is fetched


def test_notes_are_listed_but_not_without_end():
    html = result(notes=tuple(f"note {i}" for i in range(20)))._repr_html_()
    assert html.count("<li>") == 9 and "and 12 more" in html


@pytest.mark.parametrize("made", [series((300, 2000)), result((1, 3, 700))])
def test_large_ones_are_thinned(made):
    html = made._repr_html_()
    assert max(max(p.shape) for p in pictures(html)) <= 160 and len(html) < 200_000


def test_odd_ones_are_shown_all_the_same():
    """Several channels; no history, no recipe; one value only; two images."""
    two = TiltSeries(torch.rand(2, 4, 3, 3), ANGLES, channels=("HAADF", "Fe"), tilt_axis=85)
    assert "HAADF, Fe" in two._repr_html_() and "85°" in two._repr_html_()
    assert len(pictures(two.select([0, 1])._repr_html_())) == 2
    many = result((2, 3, 4, 5), history=(), series=two)._repr_html_()
    assert [p.shape for p in pictures(many)] == [(3, 5), (4, 5), (3, 4)]
    assert len(pictures(result(voxels=np.ones((2, 2, 2)))._repr_html_())) == 3


def test_nothing_of_it_is_loaded_before_it_is_asked_for():
    script = "import sys, tomoinr; print(sum(n.startswith('tomoinr.live') for n in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "0"
