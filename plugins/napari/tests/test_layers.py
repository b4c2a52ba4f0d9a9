"""What napari is given and gives back; and a run that can be cancelled. No napari is needed."""

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml

from tomoinr import Poses, Reconstruction, Record, TiltSeries, TomoinrError
from tomoinr.geometry import Grid
from tomoinr_napari import reading
from tomoinr_napari.reading import OURS, read_file, reader_for, series_of
from tomoinr_napari.running import Run
from tomoinr_napari.writing import write_image

ANGLES = (-40.0, 0.0, 40.0)


@pytest.fixture
def series(tmp_path):
    rng = np.random.default_rng(0)
    made = TiltSeries(rng.random((3, 5, 6), np.float32), ANGLES, 2.5)
    return TiltSeries.load(made.save(tmp_path / "stack.mrc"))


@pytest.fixture
def folder(series, tmp_path):
    """A result with its uncertainty beside it."""
    voxels = np.random.default_rng(1).random((5, 4, 6), np.float32)
    poses = Poses.of(series.angles)
    result = Reconstruction(voxels, Grid((5, 4, 6), 2.5), poses, (Record(1, 0.5, 1.0),), series)
    result.save(tmp_path / "out")
    write_image(str(tmp_path / "out/uncertainty.mrc"), voxels / 10, {"scale": (2.5,) * 3})
    return tmp_path / "out"


def test_a_tilt_series_is_a_layer_and_back(series, tmp_path):
    (layer,) = read_file(str(tmp_path / "stack.mrc"))
    data, told, kind = layer
    assert kind == "image" and np.array_equal(data, series.images[0].numpy())
    assert told["scale"] == (1, 2.5, 2.5) and told["name"] == "stack"
    assert write_image(str(tmp_path / "again.mrc"), data, told) == [str(tmp_path / "again.mrc")]
    again = TiltSeries.load(tmp_path / "again.mrc")
    assert torch.equal(again.images, series.images) and torch.equal(again.angles, series.angles)
    shown = SimpleNamespace(data=data, name=told["name"], scale=told["scale"], metadata={})
    with pytest.raises(TomoinrError, match="stack: no tilt angles are known"):
        series_of(shown, " ")
    assert series_of(shown, "-40:40:40").angles.tolist() == list(ANGLES)
    shown.metadata = told["metadata"]
    assert series_of(shown, "") is told["metadata"][OURS]
    assert series_of(shown, "-20:20:20").pixel_size == 2.5


def test_channels_are_layers():
    images = torch.rand(2, 3, 4, 4)
    both = TiltSeries(images, ANGLES, channels=("HAADF", "Fe"), source="a.emd")
    layers = reading.series_layers(both)
    assert [told["name"] for _, told, _ in layers] == ["a HAADF", "a Fe"]
    assert all(np.array_equal(layers[i][0], images[i].numpy()) for i in (0, 1))


def test_a_result_is_its_volume_and_its_hidden_uncertainty(folder):
    layers = reader_for(str(folder))(str(folder))
    assert [told["name"] for _, told, _ in layers] == ["out: volume", "out: uncertainty"]
    assert [told["visible"] for _, told, _ in layers] == [True, False]
    assert all(told["scale"] == (2.5,) * 3 for _, told, _ in layers)
    assert layers[1][0] == pytest.approx(layers[0][0] / 10)


def test_what_is_not_ours_is_left_to_others(tmp_path, series):
    (tmp_path / "empty").mkdir()
    assert reader_for(str(tmp_path / "empty")) is None
    assert reader_for(str(tmp_path / "missing.mrc")) is None
    assert reader_for([str(tmp_path / "stack.mrc")]) is None


@pytest.mark.parametrize("data", [np.ones((4, 4)), np.ones((2, 3, 4, 4))])
def test_only_volumes_are_written(tmp_path, data):
    with pytest.raises(TomoinrError, match="three axes"):
        write_image(str(tmp_path / "a.mrc"), data, {})
    assert list(tmp_path.iterdir()) == []


def test_the_manifest_names_what_there_is():
    text = Path(reading.__file__).with_name("napari.yaml").read_text("utf-8")
    found = yaml.safe_load(text)["contributions"]
    names = [command["python_name"].split(":") for command in found["commands"]]
    for module, name in names:
        if not module.endswith("panel"):  # which needs napari
            assert callable(getattr(import_module(module), name))
    known = {command["id"] for command in found["commands"]}
    used = [entry["command"] for kind in ("readers", "writers", "widgets") for entry in found[kind]]
    assert set(used) == known


def followed(course):
    """The records of a run, and what it returned."""
    records = []
    while True:
        try:
            records.append(next(course))
        except StopIteration as end:
            return records, end.value


def test_a_run_tells_its_records_and_its_result(series):
    records, result = followed(Run(series, solver="sirt", steps=5).course())
    assert [record.step for record in records] == [1, 2, 3, 4, 5]
    assert tuple(records) == result.history and result.voxels.shape == (5, 6, 6)


def test_a_run_can_be_cancelled(series):
    run = Run(series, solver="sirt", steps=10**6)
    course = run.course()
    next(course)
    run.cancel()
    records, result = followed(course)
    assert result is None and len(records) < 10**6 - 1


def test_a_mistake_is_raised_where_it_is_asked_for(series):
    with pytest.raises(TomoinrError, match="no solver is called 'sirtt'"):
        next(Run(series, solver="sirtt").course())
