"""What lies behind ASTRA's numbers: arrays in its own memory, and their geometries."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any, NamedTuple

import astra
import numpy as np
from numpy.typing import NDArray

from tomoinr.errors import TomoinrError
from tomoinr_astra.scene import Geometry

Array = NDArray[np.float32]


class Store(NamedTuple):
    """The data and the volume of one algorithm, in 2-D or 3-D."""

    module: ModuleType  # astra.data2d or astra.data3d
    data: int
    volume: int
    detector: Geometry
    box: Geometry

    def array(self, number: int) -> Array:
        """ASTRA's own memory, without a copy."""
        shared: Array = self.module.get_shared(number)
        return shared

    @property
    def flat(self) -> bool:
        """Whether it is one slice."""
        return self.module is astra.data2d


def look_up(config: Mapping[str, Any], who: str) -> Store:
    """The algorithm's data and volume; numbers that are missing, swapped or at odds are refused."""
    numbers = [_number(config, name, who) for name in ("ProjectionDataId", "ReconstructionDataId")]
    (data, in_data), (volume, in_volume) = ((n, _module(n, who)) for n in numbers)
    detector, box = in_data.get_geometry(data), in_volume.get_geometry(volume)
    if "type" not in detector or "type" in box:
        raise TomoinrError(
            f"{who}: ProjectionDataId must be that of a sinogram and ReconstructionDataId that of "
            "a volume; these are swapped, or both of one kind"
        )
    if in_data is not in_volume:
        raise TomoinrError(f"{who}: the data and the volume must both be 2-D or both be 3-D")
    store = Store(in_data, data, volume, detector, box)
    if "ProjectorId" in config:
        _check_projector(int(config["ProjectorId"]), store, who)
    return store


def check_finite(array: Array, what: str, who: str) -> None:
    """Refuse NaN and infinity, without making a copy."""
    # A sum over all: cheap, and not finite if anything is not (or if it overflows: then look).
    if not np.isfinite(array.sum(dtype=np.float64)) and not np.isfinite(array).all():
        count = int((~np.isfinite(array)).sum())
        raise TomoinrError(f"{who}: {count} values of the {what} are not finite numbers")


def _number(config: Mapping[str, Any], name: str, who: str) -> int:
    if name not in config:
        raise TomoinrError(f"{who} needs a {name}")
    return int(config[name])


def _module(number: int, who: str) -> ModuleType:
    """Where ASTRA keeps this number."""
    for module in (astra.data2d, astra.data3d):
        try:
            module.get_geometry(number)
        except astra.log.AstraError:
            continue
        return module
    raise TomoinrError(f"{who}: ASTRA holds no data with the number {number}")


def _check_projector(number: int, store: Store, who: str) -> None:
    module = astra.projector if store.flat else astra.projector3d
    try:
        theirs = module.volume_geometry(number), module.projection_geometry(number)
    except astra.log.AstraError:
        raise TomoinrError(f"{who}: ASTRA holds no such projector: {number}") from None
    if not (_alike(theirs[0], store.box) and _alike(theirs[1], store.detector)):
        raise TomoinrError(
            f"{who}: the projector's geometry is not that of the data and the volume"
        )


def _alike(one: Any, other: Any) -> bool:
    """Whether two geometries are the same, to the rounding of ASTRA's own tables."""
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, str):
        return bool(one == other)
    return np.shape(one) == np.shape(other) and np.allclose(one, other, rtol=1e-5, atol=1e-5)
