"""In napari itself, off screen: files are opened, the panel reconstructs and can be cancelled."""

import os
import time

import numpy as np
import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
napari = pytest.importorskip("napari")
pytest.importorskip("qtpy")
pytest.importorskip("magicgui")

from tomoinr import Reconstruction, TiltSeries  # noqa: E402
from tomoinr_napari.panel import Reconstruct  # noqa: E402
from tomoinr_napari.reading import OURS, read_file  # noqa: E402

PATIENCE = 120.0


@pytest.fixture
def viewer():
    """All but the canvas, for which there may be no OpenGL."""
    from qtpy.QtWidgets import QApplication

    application = QApplication.instance() or QApplication([])
    yield napari.components.ViewerModel()
    application.processEvents()


@pytest.fixture
def panel(viewer, tmp_path):
    rng = np.random.default_rng(0)
    series = TiltSeries(rng.random((5, 6, 8), np.float32) + 1, range(-60, 61, 30), 2.5)
    for data, told, _ in read_file(str(series.save(tmp_path / "stack.mrc"))):
        viewer.add_image(data, **told)
    return Reconstruct(viewer)


def until(true):
    """Let things happen until it is so."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "waited too long"
        QApplication.processEvents()
        time.sleep(0.01)


def test_the_panel_reconstructs_a_layer(viewer, panel):
    assert panel.layer.value is viewer.layers["stack"]
    viewer.add_points(name="others")
    viewer.add_image(np.ones((2, 2, 2)), name="came later")
    assert [layer.name for layer in panel.layer.choices] == ["stack", "came later"]
    viewer.layers.remove("came later")
    panel.solver.value = "sirt"
    panel.go.changed.emit(True)
    assert not panel.go.enabled and panel.stop.enabled
    until(lambda: panel.go.enabled)
    assert panel.told.value == "finished" and panel.bar.value == panel.bar.max
    layer = viewer.layers["sirt volume"]
    assert layer.data.shape == (6, 8, 8) and tuple(layer.scale) == (2.5,) * 3
    assert isinstance(layer.metadata[OURS], Reconstruction)


def test_the_panel_cancels(viewer, panel, monkeypatch):
    monkeypatch.setattr("tomoinr.builtin.sirt.Sirt.done", lambda self, problem, state: False)
    panel.solver.value = "sirt"
    panel.go.changed.emit(True)
    until(lambda: "loss" in panel.told.value)
    panel.stop.changed.emit(True)
    until(lambda: panel.go.enabled)
    assert panel.told.value == "cancelled" and len(viewer.layers) == 1


def test_mistakes_are_told(viewer, panel):
    panel.angles.value = "-60:60:1"
    panel.go.changed.emit(True)
    assert panel.go.enabled and "5 images but 121 angles" in panel.told.value


def test_napari_finds_the_plugin():
    npe2 = pytest.importorskip("npe2")
    from importlib.resources import files

    manifest = npe2.PluginManifest.from_file(str(files("tomoinr_napari").joinpath("napari.yaml")))
    assert manifest.name == "tomoinr-napari"
    manifest.validate_imports()
