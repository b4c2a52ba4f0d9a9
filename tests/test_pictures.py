"""Pictures show the same slices of all volumes: those in which there is something to see."""

import numpy as np
import pytest
from PIL import Image

from tomoinr import pictures


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_slice_that_varies_most_is_chosen(axis):
    volume = np.zeros((6, 7, 8))
    volume[4, 1, 6] = 1
    assert pictures.richest(volume, axis) == (4, 1, 6)[axis]


def test_the_first_volume_chooses_for_all(monkeypatch, tmp_path):
    first, other = np.zeros((2, 6, 7, 8))
    first[4, 1, 6], other[0, 0, 0] = 1, 5
    shown = []
    show = pictures.plt.Axes.imshow

    def spy(axes, image, **options):
        shown.append(image)
        return show(axes, image, **options)

    monkeypatch.setattr(pictures.plt.Axes, "imshow", spy)
    pictures.compare({"truth": first, "other": other}, tmp_path / "a.png", {})
    assert [image.max() for image in shown] == [1, 1, 1, 0, 0, 0]
    assert Image.open(tmp_path / "a.png").size[0] > 100
