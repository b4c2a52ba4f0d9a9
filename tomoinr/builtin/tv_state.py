"""What total variation keeps between iterations, and the steps that make it converge."""

from __future__ import annotations

from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tomoinr.builtin.blocks import portions
from tomoinr.builtin.edges import EdgeDuals, divergence, gradient, length
from tomoinr.builtin.linear import LinearMap, inverse_
from tomoinr.interfaces import Problem
from tomoinr.state import Iterate
from tomoinr.team import Team

# Tried on phantoms at many weights.
RAMP_STEP = 40.0
EDGE_SHARE = 1.0
POWER_STEPS = 12
BALANCE = 1.0
RELAXATION = 1.8

NARROW = torch.float16  # of steps, in units of order one
TOGETHER = 4  # neighbours along z that take steps of the same size
EDGES = 2  # the dimension of the edges that counts slices


class TvState(Iterate):
    """Primal and dual variables; `weights` of pixels (channels, views, rows, columns) or none.

    `weight` of the edges is one number, or one a channel. `last`: a state of the same size whose
    variables are taken over, so that it must not be used any more.

    All pixels alike: the dual step is a ramp along detector rows, which undoes most of the blur
    of AᵀA. Weighed pixels: diagonal steps (Pock and Chambolle, 2011), for which the weights need
    not commute with anything.
    """

    def __init__(
        self,
        problem: Problem,
        team: Team,
        weight: float | Tensor,
        weights: Tensor | None = None,
        last: TvState | None = None,
    ) -> None:
        pixel, (tilts, _, columns) = problem.series.pixel_size, problem.series.shape
        self.map, self._team = LinearMap(problem, team, pixel), team
        start = self.map.parameter.data
        # Lengths in pixels: the data's curvature at a point is then one per tilt, and a weight
        # is a density, whatever the number of tilts and the sizes of pixels and voxels.
        self._unit = tilts * (problem.grid.spacing / pixel) ** 2
        self.strength = self._strength(weight)
        self.weights = None if weights is None else self.map.share(weights)
        frequency = torch.fft.rfftfreq(columns, device=start.device) + 0.5 / columns
        self._ramp = RAMP_STEP * frequency / tilts
        # Of some neighbours along z, in units of one number; none: of all alike.
        self.primal_step: Tensor | None = None
        self.primal_unit: float
        self.edge_step: float
        if self.weights is None:
            self._step_alike(start)
        else:
            self._step_by_voxel(start)
        super().__init__(**(self._taken(last) if last else self._nothing(start)))
        self._edges = EdgeDuals(self.tensors["edges"], self.map.slab.held.start)
        if last:
            self._follow(last)

    def _step_alike(self, start: Tensor) -> None:
        size = self._size(start)
        self.edge_step = EDGE_SHARE * size / 12
        self.primal_unit = 0.99 / (size * (1 + EDGE_SHARE))

    def _step_by_voxel(self, start: Tensor) -> None:
        rows = self.map.forward(start.new_ones(()).expand_as(start))
        mean = float(self.map.total(rows.sum())) / self.map.voxels
        self.edge_step = BALANCE * mean / 24
        self.primal_unit = 1 / (BALANCE * mean)
        channels, slices, deep, wide = start.shape
        size = channels, slices, -(-deep // TOGETHER), wide
        self.primal_step = start.new_empty(size, dtype=NARROW)
        for part, seen in self.map.adjoints(self.map.ones()):
            self.primal_step[:, part] = _largest(seen).div_(mean).add_(0.5).reciprocal_()
        self._rows = inverse_(rows).mul_(BALANCE)

    def _nothing(self, start: Tensor) -> dict[str, Tensor]:
        edges = EdgeDuals.nothing(start, self.map.voxels)
        return {"data": torch.zeros_like(self.map.data), "edges": edges}

    def _taken(self, last: TvState) -> dict[str, Tensor]:
        """Another state's variables, cut anew where its slabs were others."""
        old, new = last.map.slab, self.map.slab
        found = last.tensors
        if (old.whole, old.held) != (new.whole, new.held):
            found["edges"] = new.cut(old.join(found["edges"], EDGES), EDGES).contiguous()
        return found

    @property
    def point(self) -> Tensor:
        """The voxels of this rank's slab, where the iteration stands."""
        return self.map.parameter.data

    def pull_data(self, residual: Tensor) -> Tensor:
        """The dual step of the data, over-relaxed; the weighed square of the residual.

        The residual becomes what the step leads to, gone twice as far.
        """
        total = residual.new_zeros(())
        for views in portions(residual):
            data, off = self.tensors["data"][:, views], residual[:, views]
            weighed = off if self.weights is None else self.weights[:, views] * off
            total += (weighed * off).sum()
            pulled = self._nearest(data, off, views)
            torch.lerp(data, pulled, 2, out=off)
            data.lerp_(pulled, RELAXATION)
        return total

    def pull_voxels(self, ahead: Tensor, positive: bool, relaxation: float) -> Tensor:
        """The dual step of the edges and the primal one, in one sweep; the edges' weighed length.

        That is of this rank's own slices. `ahead` is the data's dual variable, gone twice as far.
        A slice moves when its own edges, and those of the slice before, have been pulled: nothing
        as large as the volume is needed in between. At the end halos are what their owners have.
        """
        point, before = self.point, self.map.slab.areas[-1].start - 1
        behind = None if before < 0 else self._pull_edges(slice(before, before + 1))[0]
        total = point.new_zeros(())
        for block, back in self.map.adjoints(ahead):
            for some in portions(back):
                part = slice(block.start + some.start, min(block.start + some.stop, block.stop))
                edges, length_ = self._pull_edges(part)
                start, moved = point[:, part], back[:, some]
                pull = divergence(edges, behind, more=part.stop < point.shape[1])
                moved.addcmul_(pull, self.strength, value=-1)
                if self.primal_step is not None:
                    _scale(moved, self.primal_step[:, part])
                torch.sub(start, moved, alpha=self.primal_unit, out=moved)
                if positive:
                    moved.clamp_(min=0)
                start.lerp_(moved, relaxation)
                behind, total = edges, total + length_
            del back, moved  # or they are there while the next are made
        self.map.slab.fill_(point)
        return total

    def _pull_edges(self, part: slice) -> tuple[Tensor, Tensor]:
        """Over-relaxed; what the step leads to, gone twice as far, and the weighed length."""
        edges, slopes = self._edges.some(part), gradient(self.point, part)
        mine = self.map.slab.mine
        own = slice(max(mine.start - part.start, 0), max(mine.stop - part.start, 0))
        total = (length(slopes)[:, own].sum((1, 2, 3), keepdim=True) * self.strength).sum()
        pulled = torch.addcmul(edges, slopes, self.edge_step / self.strength, out=slopes)
        pulled /= length(pulled).clamp_(min=1)
        ahead = torch.lerp(edges, pulled, 2)
        self._edges.keep(part, edges.lerp_(pulled, RELAXATION), self.step)
        return ahead, total

    def _follow(self, last: TvState) -> None:
        """The duals, which were another state's, keep their sense."""
        assert self.weights is not None and last.weights is not None
        self.tensors["data"].mul_(self.weights / last.weights)

    def _nearest(self, data: Tensor, residual: Tensor, views: slice) -> Tensor:
        """The proximal step of the data term's dual variable."""
        if self.weights is not None:
            rows, weights = self._rows[:, views], self.weights[:, views]
            return (data + rows * residual) * (weights / (weights + rows))
        spectrum = torch.fft.rfft(data) + self._ramp * torch.fft.rfft(residual)
        # Periodic, so that it inverts exactly; a preconditioner need not be more.
        return torch.fft.irfft(spectrum / (1 + self._ramp), n=data.shape[-1])

    def state_dict(self) -> dict[str, Any]:
        """The dual variables, those of all ranks' pixels and slices put together."""
        self.map.publish()
        edges = self.map.slab.join(self.tensors["edges"], EDGES)
        mine = self.tensors["data"].movedim(2, 0).contiguous()
        data = self._team.gather(mine).movedim(0, 2)
        return super().state_dict() | {"edges": edges, "data": data}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there, and from the volume as it is now."""
        edges = self.map.slab.cut(state["edges"], EDGES)
        data = self.map.share(state["data"])
        super().load_state_dict(state | {"edges": edges, "data": data})
        self.map.take()

    def _strength(self, weight: float | Tensor) -> Tensor:
        weights = torch.as_tensor(weight, device=self.map.data.device).clamp(min=1e-9)
        return weights.reshape(-1, 1, 1, 1) * self._unit

    def _size(self, start: Tensor) -> float:
        """‖Aᵀ Σ A‖, by the power method; a little above, to be safe."""
        random, held = torch.Generator().manual_seed(0), self.map.slab.held
        slices = (torch.rand(start[:, 0].shape, generator=random) for _ in range(held.stop))
        x = torch.empty_like(start)
        for y, drawn in enumerate(islice(slices, held.start, None)):
            x[:, y] = drawn
        size = self._norm(x)
        for _ in range(POWER_STEPS):
            images = self.map.forward(x.div_(size))
            for views in portions(images):
                spectrum = torch.fft.rfft(images[:, views]) * self._ramp
                images[:, views] = torch.fft.irfft(spectrum, n=images.shape[-1])
            for part, back in self.map.adjoints(images):
                x[:, part] = back
                del back  # or it is there while the next is made
            del images
            self.map.slab.fill_(x)
            size = self._norm(x)
        return 1.05 * size

    def _norm(self, voxels: Tensor) -> float:
        """Of all ranks' slices."""
        own = torch.linalg.vector_norm(voxels[:, self.map.slab.mine])
        return float(self.map.total(own.square()).sqrt())


def _largest(voxels: Tensor) -> Tensor:
    """Of `TOGETHER` neighbours along z: (channels, y, z / `TOGETHER`, x)."""
    return functional.max_pool2d(voxels, (TOGETHER, 1), ceil_mode=True)


def _scale(voxels: Tensor, steps: Tensor) -> None:
    """Each voxel by the number of its neighbourhood along z."""
    full = voxels.shape[2] // TOGETHER
    inner, rest = voxels.tensor_split((full * TOGETHER,), dim=2)
    inner.unflatten(2, (full, TOGETHER)).mul_(steps[:, :, :full, None])
    rest.mul_(steps[:, :, full:])
