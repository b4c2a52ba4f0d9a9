"""Datasets in memory, with a stand-in for quantEM's class."""

import numpy as np
import pytest
import torch

from tomoinr.data import Reconstruction, TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Grid, Poses
from tomoinr_quantem import dataset_of, series_of, volume_of

ANGLES = [-10.0, 0.0, 10.0, 25.0]


@pytest.fixture
def series():
    images = np.random.default_rng(0).random((4, 5, 6), np.float32)
    return TiltSeries(images, ANGLES, 2.5, source="stack.mrc", tilt_axis=3.0)


@pytest.fixture
def result(series):
    voxels = np.random.default_rng(1).random((5, 7, 6), np.float32)
    return Reconstruction(voxels, Grid((5, 7, 6), 2.5), Poses.of(series.angles), (), series)


def test_a_series_comes_back(stand_in, series):
    dataset = dataset_of(series)
    back = series_of(dataset)
    assert torch.equal(back.images, series.images)
    assert back.angles.tolist() == ANGLES
    assert (back.pixel_size, back.tilt_axis, back.source) == (2.5, 3.0, "stack.mrc")


def test_a_dataset_says_its_pixels_and_angles_and_is_a_copy(stand_in, series):
    dataset = dataset_of(series)
    assert (dataset.sampling, dataset.units) == ((1, 2.5, 2.5), ["index", "A", "A"])
    assert dataset.array.shape == (4, 6, 5)
    assert dataset.array.flags["C_CONTIGUOUS"]
    before = series.images.clone()
    dataset.array[:] = 0
    assert torch.equal(series.images, before)


def test_a_volume_comes_back(stand_in, result):
    dataset = dataset_of(result)
    assert (dataset.sampling, dataset.units) == ((2.5, 2.5, 2.5), ["A", "A", "A"])
    assert np.array_equal(volume_of(dataset), result.voxels)
    assert np.array_equal(dataset.array[..., ::-1], result.voxels)


def test_one_channel_of_several(stand_in, series):
    two = TiltSeries(torch.cat((series.images, 2 * series.images)), ANGLES, channels=("a", "b"))
    assert np.array_equal(dataset_of(two, channel=1).array, 2 * dataset_of(two).array)


def test_angles_given_are_believed_before_the_datasets_own(stand_in, series):
    dataset = dataset_of(series)
    assert series_of(dataset, [1, 2, 3, 4]).angles.tolist() == [1, 2, 3, 4]
    del dataset.metadata["tilt_angles"]
    with pytest.raises(TomoinrError, match=r"no tilt angles; give them: series_of"):
        series_of(dataset)
    dataset.units, dataset.sampling = ["deg", "nm", "nm"], (5.0, 0.3, 0.3)
    told = series_of(dataset)
    assert told.angles.tolist() == [0, 5, 10, 15] and told.pixel_size == pytest.approx(3)


def test_the_tilt_axis_runs_from_left_to_right_in_quantems_images():
    images = np.zeros((2, 5, 6), np.float32)
    images[:, 1, :] = np.arange(6)  # a line along the axis, brighter to the right
    ours = series_of(images, [0, 10]).images[0]
    assert np.array_equal(ours[0, :, 3], np.arange(6))  # downwards: the axis y
    assert float(ours.sum()) == images.sum()


def test_arrays_of_other_shapes_are_refused():
    for shape in ((4, 5), (4, 1, 5, 6)):
        with pytest.raises(TomoinrError, match="three axes"):
            series_of(np.zeros(shape), ANGLES)
    with pytest.raises(TomoinrError, match="three axes"):
        volume_of(np.zeros((2, 3, 4, 5)))


def test_what_quantem_made_is_taken_as_it_shows_it():
    class Made:
        obj_view = np.arange(24.0).reshape(1, 2, 3, 4)

    class Tomography:
        obj_model = Made()

    assert np.array_equal(volume_of(Tomography()), Made.obj_view[0, :, :, ::-1])
    assert np.array_equal(volume_of(Made()), volume_of(Made.obj_view[0]))
