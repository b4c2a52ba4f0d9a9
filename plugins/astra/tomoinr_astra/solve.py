"""One run of an ASTRA algorithm: ASTRA's arrays in, `tomoinr.reconstruct`, ASTRA's arrays out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np
import torch
from torch import Tensor

from tomoinr import Plugins, Poses, Reconstruction, TiltSeries, TomoinrError, reconstruct
from tomoinr.interfaces import Ability, PoseModel, Projector, Volume
from tomoinr.loop import Observer
from tomoinr.options import parse
from tomoinr.team import Solo
from tomoinr_astra.scene import Scene, on_whole_columns, resampled, scene
from tomoinr_astra.store import Array, Store, check_finite
from tomoinr_astra.wishes import Order
from tomoinr_astra.wrappers import Bounds, InSlice, Seen, SetOut, within

AUTOMATIC, SIRT, SLICES = "auto", "sirt", "slices"
TILTED = 1e-6  # of a ray along the tilt axis: what the projector `slices` cannot follow


@dataclass
class Memory:
    """What one run leaves to the next: its projector, the data it saw, what it learned of them."""

    projector: Projector | None = None
    data: int | None = None
    volume: Volume | None = None
    poses: Poses | None = None


@dataclass(frozen=True)
class Run:
    """Everything that one run needs; arrays are ASTRA's own memory."""

    store: Store
    order: Order
    plugins: Plugins
    memory: Memory
    who: str
    observers: list[Observer] = field(default_factory=list)

    def __call__(self, steps: int | None) -> Reconstruction | None:
        """Reconstruct into ASTRA's volume; none where every pixel is zero, and so every voxel."""
        images, voxels = self.store.array(self.store.data), self.store.array(self.store.volume)
        check_finite(images, "projection data", self.who)
        check_finite(voxels, "volume to start from", self.who)
        if not images.any():
            self._write(np.zeros_like(voxels), voxels)
            return None
        result = self._solved(images, voxels, steps)
        self._write(result.voxels.reshape(voxels.shape), voxels)
        return result

    def _solved(self, images: Array, voxels: Array, steps: int | None) -> Reconstruction:
        where = scene(self.store.box, self.store.detector, self.who)
        data = crc32(images.data)
        known = self.memory.data == data
        series = self._series(images, where)
        start = self.memory.poses if known and self.memory.poses else where.poses
        torch.manual_seed(self.order.wishes.seed)
        volume = self.memory.volume if known else None
        volume = volume or self._volume(where)
        raster = Ability.LINEAR in volume.abilities
        # Iterations go on from the array, as ASTRA's do; a plan of stages and a network go on
        # only with the very same data.
        from_array = raster and (known or self.order.solver.name != AUTOMATIC)
        solver = self._solver(voxels if from_array else None, where, steps)
        result = reconstruct(
            series,
            volume=volume,
            poses=self._poses(start, where),
            projector=self._projector(where),
            solver=solver,
            start=start,
            seed=self.order.wishes.seed,
            team=Solo(self._device()),
            plugins=self.plugins,
            observers=self.observers,
        )
        self.memory.data, self.memory.poses = data, result.poses
        self.memory.volume = None if raster else volume.cpu()
        return result

    def _series(self, images: Array, where: Scene) -> TiltSeries:
        """Images [view, row, column]: a view of ASTRA's memory where pixels are as voxels."""
        series = torch.from_numpy(images)
        series = series[:, None] if self.store.flat else series.transpose(0, 1)
        series = resampled(series, where)
        if (mask := self._pixel_mask(where)) is not None:
            series = series * mask
        angles = where.poses.angles().tilt
        source = f"{self.who}, projection data {self.store.data}"
        return TiltSeries(series, angles, where.grid.spacing, source=source)

    def _volume(self, where: Scene) -> Volume:
        """The volume asked for, within the mask if there is one."""
        cls: type[Volume] = self.plugins.find("volume", self.order.wishes.volume).cls
        number = self.order.wishes.ReconstructionMaskId
        if number is not None:
            mask = self._mask(number, self.store.volume).reshape(where.grid.shape)
            cls = within(cls, where.grid, torch.from_numpy(mask != 0))
        options = parse(cls.Options, {}, f"{self.who}, volume '{cls.name}'")
        made: Any = cls
        return made(options, where.grid, 1)

    def _poses(self, start: Poses, where: Scene) -> PoseModel | str | None:
        """By name; one slice learns what it can tell, and nothing unless asked."""
        name = self.order.wishes.poses
        if not self.store.flat or name in (None, "fixed"):
            return "fixed" if self.store.flat else name
        cls: Any = self.plugins.find("poses", str(name)).cls
        nominal = Poses(start.rotation.float(), start.shift.float())
        return InSlice(cls(cls.Options(), nominal, where.grid))

    def _projector(self, where: Scene) -> Projector:
        """By name; else a fast one, unless the tilt axis leaves the detector."""
        # Kept, since slices differ in their data alone, and its matrix takes time.
        made = self.memory.projector = self.memory.projector or self._new_projector(where)
        mask = self._pixel_mask(where)
        return made if mask is None else Seen(made, mask)

    def _new_projector(self, where: Scene) -> Projector:
        name = self.order.wishes.projector or self._usual_projector(where)
        cls: Any = self.plugins.find("projector", name).cls
        # The sharper interpolation blurs less; but SIRT needs weights that are not negative.
        sharp = name == SLICES and self.order.solver.name != SIRT
        table = {"warp": "bicubic"} if sharp else {}
        options = parse(cls.Options, table, f"{self.who}, projector '{name}'")
        made: Projector = cls(options, where.grid)
        return made

    def _usual_projector(self, where: Scene) -> str:
        """A fast one where it follows the views, and an exact one where SIRT would see blur."""
        if bool((where.poses.rotation[:, 2, 1].abs() > TILTED).any()):
            return "quadrature"
        between = self.store.flat and not on_whole_columns(where, self.store.detector)
        return "astra" if between and self.order.solver.name == SIRT else SLICES

    def _solver(self, start: Array | None, where: Scene, steps: int | None) -> SetOut:
        """The solver asked for; it starts from an array if there is one."""
        cls, wishes, options = self.order.solver, self.order.wishes, dict(self.order.options)
        if steps is not None and hasattr(cls.Options(), "steps"):
            options["steps"] = steps
        bounds = Bounds(wishes.MinConstraint, wishes.MaxConstraint)
        free = cls.name == SIRT or (bounds.low is not None and bounds.low < 0)
        if hasattr(cls.Options(), "positive") and "positive" not in options:
            options["positive"] = not free
        made: Any = cls
        solver = made(parse(cls.Options, options, f"{self.who}, method '{cls.name}'"))
        # SIRT's iterate is the volume itself, so every iterate can be kept in bounds.
        keeps = bounds if cls.name == SIRT else None
        first = None if start is None else torch.from_numpy(start).reshape(where.grid.shape)
        return SetOut(solver, first, keeps)

    def _pixel_mask(self, where: Scene) -> Tensor | None:
        """One where a pixel counts, [view, row, column]; none: all do."""
        number = self.order.wishes.SinogramMaskId
        if number is None:
            return None
        if self.order.solver.name == AUTOMATIC:
            raise TomoinrError(
                f"{self.who}: the method 'auto' cannot leave out pixels; use TOMOINR-SIRT, "
                "TOMOINR-TV or the method 'joint', or leave out the SinogramMaskId"
            )
        mask = torch.from_numpy((self._mask(number, self.store.data) != 0).astype(np.float32))
        mask = mask[:, None] if self.store.flat else mask.transpose(0, 1)
        return (resampled(mask, where) > 1 - 1e-3).float()

    def _mask(self, number: int, like: int) -> Array:
        mask, wanted = self.store.array(number), self.store.array(like).shape
        if mask.shape != wanted:
            raise TomoinrError(f"{self.who}: the mask is {mask.shape}, but must be {wanted}")
        return mask

    def _write(self, found: Array, voxels: Array) -> None:
        """Into ASTRA's memory, in bounds; outside the mask nothing changes."""
        wishes = self.order.wishes
        Bounds(wishes.MinConstraint, wishes.MaxConstraint).clip_(torch.from_numpy(found))
        number = wishes.ReconstructionMaskId
        inside: Any = True if number is None else self._mask(number, self.store.volume) != 0
        np.copyto(voxels, found, where=inside)

    def _device(self) -> str:
        """The GPU asked for, or the first; the CPU where there is none."""
        return f"cuda:{self.order.wishes.GPUindex or 0}" if torch.cuda.is_available() else "cpu"
