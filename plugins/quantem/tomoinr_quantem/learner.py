"""quantEM's own loop, network and losses, on our series and from our poses, in portions."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from math import ceil
from typing import Any

import torch
from torch import Tensor

from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Poses
from tomoinr.interfaces import Problem
from tomoinr_quantem.batches import Batches
from tomoinr_quantem.frames import Euler, our_poses, their_points, their_poses
from tomoinr_quantem.library import ADVICE, part
from tomoinr_quantem.options import Options

AT_ONCE = 1 << 17  # points that are looked at together
BRIGHT = 0.95  # of the pixels are darker than quantEM's unit


class Learner:
    """A problem as quantEM sees it: a cube, from -1 to 1, that holds the box and the images."""

    def __init__(self, problem: Problem, options: Options) -> None:
        self._problem, self._options = problem, options
        series = problem.series
        box = ceil(max(problem.grid.extent) / series.pixel_size - 1e-6)
        self._side = max(2, box, *series.shape[1:])
        self._half = (self._side - 1) / 2 * series.pixel_size
        self._unit = _unit(series)
        self._device = _named(series.images.device)
        nominal = their_poses(problem.poses(), series.pixel_size)
        self._tilts = nominal.tilt.to(series.images)
        with self._alone(0):
            self._data = _dataset(nominal, self._device)
            self._model = self._tomography()
        _check_poses(self._data, nominal)
        self.batches = Batches(
            series, self._tilts, self._side, options.batch, problem.seed, self._unit
        )
        self._model.dataloader, self._model.sampler = self.batches, None
        self._model.val_dataloader = None

    def learn(self, first: int, count: int) -> float:
        """Some batches; their mean squared residual, in the units of the series."""
        self.batches.first, self.batches.count = first, count
        with self._alone(1 + first):
            self._model.reconstruct(num_iter=1, num_workers=0, num_samples_per_ray=self._side)
        return float(self._model.consistency_losses[-1]) * self._unit**2

    def voxels(self) -> Tensor:
        """The density at our voxels: (y, z, x)."""
        grid, network = self._problem.grid, self._model.obj_model
        points = their_points(grid.points(device=torch.device(self._device)) / self._half)
        with torch.no_grad():
            parts = [
                network.apply_hard_constraints(network.model(some))[..., 0]
                for some in points.reshape(-1, 3).split(AT_ONCE)
            ]
        return torch.cat(parts).float().reshape(grid.shape) * (self._unit / self._half)

    def poses(self) -> Poses:
        """The poses that quantEM now believes in."""
        with torch.no_grad():
            shifts, z1, z3 = self._data.forward(None)
        return our_poses(Euler(self._tilts, z1, z3, shifts), self._problem.series.pixel_size)

    def state_dict(self) -> dict[str, Any]:
        """Network, poses and the moments of their optimisers."""
        return {name: part.state_dict() for name, part in self._parts().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        for name, learned in self._parts().items():
            learned.load_state_dict(state[name])

    def _parts(self) -> dict[str, Any]:
        model = self._model
        return {"network": model.obj_model.model, "poses": self._data, **model.optimizers}

    def _tomography(self) -> Any:
        """The model that is trained, with its optimisers."""
        options, seed = self._options, self._problem.seed
        # TomographyLiteINR gives 72 as a seed, but quantEM draws from torch's own numbers.
        network = part("core.ml.inr", {"hsiren": "HSiren", "siren": "Siren"}[options.network])(
            hidden_layers=options.layers,
            hidden_features=options.width,
            first_omega_0=options.omega,
            winner_initialization=options.noise,
        )
        found = part("tomography.object_models", "ObjectINR").from_model(
            network, (self._side,) * 3, device=self._device, rng=seed
        )
        found.constraints.tv_vol = options.tv
        model = part("tomography.tomography", "Tomography").from_models(
            self._data, found, device=self._device, rng=seed, verbose=False
        )
        adam = part("core.ml.optimizer_mixin", "OptimizerParams").Adam
        rates = {"object": adam(lr=options.rate)}
        if options.learn_poses:
            rates["pose"] = adam(lr=options.pose_rate)
        self._data.requires_grad_(options.learn_poses)
        model.optimizer_params = rates
        model.set_optimizers()
        return model

    @contextmanager
    def _alone(self, number: int) -> Iterator[None]:
        """Without its prints, and with random numbers of its own."""
        cuda = [torch.device(self._device)] if self._device != "cpu" else []
        with torch.random.fork_rng(cuda), redirect_stdout(io.StringIO()):
            torch.manual_seed(1_000_003 * self._problem.seed + number)
            yield


def _dataset(nominal: Euler, device: str) -> Any:
    """The poses; the images are left to our own batches, so a pixel each stands for them."""
    cls = part("tomography.dataset_models", "TomographyINRDataset")
    data = cls.from_data(torch.ones(len(nominal.tilt), 1, 1), nominal.tilt.float())
    pinned = data.reference_tilt_idx
    for values, others, reference in (
        (nominal.z1, "_z1_angles", "_z1_ref"),
        (nominal.z3, "_z3_angles", "_z3_ref"),
        (nominal.shifts, "_shifts", "_shifts_ref"),
    ):
        values = values.float()
        setattr(data, others, torch.cat((values[:pinned], values[pinned + 1 :])))
        setattr(data, reference, values[pinned : pinned + 1].clone())
    data.to(device)
    return data


def _check_poses(data: Any, nominal: Euler) -> None:
    """Whether it really begins at the poses given: they are set where it keeps its own."""
    with torch.no_grad():
        found = data.forward(None)
    for has, wanted in zip(found, (nominal.shifts, nominal.z1, nominal.z3), strict=True):
        if not torch.allclose(has.cpu(), wanted.float(), atol=1e-5):
            raise TomoinrError(f"this quantEM does not take the poses it is given: {ADVICE}")


def _unit(series: TiltSeries) -> float:
    """The value that quantEM divides images by, or the largest where that is not above zero."""
    values = series.images.reshape(-1)
    values = values[:: max(1, len(values) // 1_000_000)]
    return max(0.0, float(torch.quantile(values, BRIGHT))) or float(series.images.abs().max())


def _named(device: torch.device) -> str:
    """As quantEM takes it, with a number."""
    if device.type == "cpu":
        return "cpu"
    return f"{device.type}:{device.index or 0}"
