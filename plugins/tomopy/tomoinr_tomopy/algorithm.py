"""Our solvers as TomoPy knows algorithms: `tomopy.recon(…, algorithm=tomoinr_tomopy.inr)`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tomoinr.errors import TomoinrError
from tomoinr_tomopy.request import NAMES, Request
from tomoinr_tomopy.slabs import Array, Slab, whole_once
from tomoinr_tomopy.solve import solve


class Algorithm:
    """A solver with its options, to be called by `tomopy.recon`, `align_seq` and `align_joint`.

    Takes what `options={…}` takes; what is given here holds for every call whose own `options` do
    not say otherwise, and `steps` whatever `num_iter` says.
    """

    def __init__(self, **options: Any) -> None:
        self._options = options

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self._options.items())
        return f"tomoinr_tomopy.Algorithm({given})"

    def __call__(
        self,
        tomo: Array,
        center: Array,
        recon: Array,
        theta: Array,
        *,
        options: Mapping[str, Any] | None = None,
        num_gridx: int = 0,
        num_gridy: int = 0,
        num_iter: int | None = None,
        accelerated: bool = False,
        **others: Any,
    ) -> None:
        """Data (slices, angles, columns) → `recon`, in place, which has the size of the grid."""
        call = f"tomopy.recon(tomo, theta, center=center, algorithm={self!r}, ncore=1)"
        if accelerated:
            raise TomoinrError(f"accelerated=True is for TomoPy's own algorithms: call {call}")
        if others:
            raise TomoinrError(
                f"tomoinr takes no {', '.join(sorted(others))} from tomopy.recon; it takes "
                f"num_iter, num_gridx, num_gridy, and in options {', '.join(NAMES)}"
            )
        request = Request.of(self._options, {} if options is None else options, num_iter)
        slab = Slab(tomo, center, recon)
        whole_once(slab, call, lambda whole: solve(whole, theta, request))
