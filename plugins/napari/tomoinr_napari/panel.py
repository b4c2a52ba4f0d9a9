"""The panel: choose a layer, reconstruct, watch, cancel; the volume becomes a layer."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import (
    ComboBox,
    Container,
    Label,
    LineEdit,
    ProgressBar,
    PushButton,
)
from napari.layers import Image
from napari.qt.threading import create_worker

from tomoinr import Reconstruction, Record, TomoinrError
from tomoinr.live.pace import Pace, done
from tomoinr.live.words import line
from tomoinr.plugins import Plugins
from tomoinr_napari.reading import layer_of, series_of
from tomoinr_napari.running import Run

FULL = 1000  # of the bar


class Reconstruct(Container):
    """Reconstructs the tilt series of a layer."""

    def __init__(self, napari_viewer: Any) -> None:
        self._viewer, self._pace = napari_viewer, Pace()
        self._run: Run | None = None
        self.layer = ComboBox(label="tilt series", choices=self._images)
        self.angles = LineEdit(label="angles", tooltip="as -60:60:3, or a file; empty: the layer's")
        solvers = [part.name for part in Plugins().parts("solver")]
        self.solver = ComboBox(label="method", choices=solvers, value="auto")
        self.quality = ComboBox(label="quality", choices=("fast", "default", "best"), value="fast")
        self.go, self.stop = PushButton(text="Reconstruct"), PushButton(text="Cancel")
        self.bar, self.told = ProgressBar(max=FULL, visible=True), Label(value="")
        self.told.native.setWordWrap(True)  # a long line would widen the window
        self.stop.enabled = False
        self.go.changed.connect(self._begin)
        self.stop.changed.connect(self._cancel)
        for changed in (napari_viewer.layers.events.inserted, napari_viewer.layers.events.removed):
            changed.connect(self._listed)
        super().__init__(
            widgets=[
                *(self.layer, self.angles, self.solver, self.quality),
                *(self.go, self.stop, self.bar, self.told),
            ]
        )

    def _images(self, widget: Any) -> list[Any]:
        return [layer for layer in self._viewer.layers if isinstance(layer, Image)]

    def _listed(self, event: Any) -> None:
        self.layer.reset_choices()

    def _begin(self) -> None:
        if self.layer.value is None:
            self.told.value = "open a tilt series first"
            return
        try:
            series = series_of(self.layer.value, self.angles.value)
        except TomoinrError as error:
            self.told.value = str(error)
            return
        run = Run(series, solver=self.solver.value, quality=self.quality.value)
        self._run, self._pace = run, Pace()
        self._busy(True, "starting")
        worker = create_worker(run.course)
        worker.yielded.connect(self._stepped)
        worker.returned.connect(self._ended)
        worker.errored.connect(self._failed)
        worker.start()

    def _cancel(self) -> None:
        if self._run:
            self._run.cancel()
            self.told.value = "stopping after this step"

    def _stepped(self, record: Record) -> None:
        self._pace.take(record)
        self.bar.value = round(FULL * done(record))
        self.told.value = line(record, self._pace)

    def _ended(self, result: Reconstruction | None) -> None:
        self._busy(False, "cancelled" if result is None else "finished")
        if result is None:
            return
        size = result.grid.spacing
        voxels = result.voxels if result.voxels.ndim == 3 else result.voxels[0]
        data, told, _ = layer_of(voxels, (size,) * 3, f"{self.solver.value} volume", result)
        self._viewer.add_image(data, **told)

    def _failed(self, error: Exception) -> None:
        self._busy(False, str(error))

    def _busy(self, busy: bool, told: str) -> None:
        self.go.enabled, self.stop.enabled, self.told.value = not busy, busy, told
        if busy:
            self.bar.value = 0
