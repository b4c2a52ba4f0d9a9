"""The volumes of all channels together: likelihood of counts, edges, and their sum, in balance.

Minimises over x ≥ 0

    Σ_c  Σ (r - n log r)(size · A x_c + background) + λ_c ‖P ∇x_c‖₁,₂  +  M/2 H(Σ f_c x_c - u)

by the over-relaxed, preconditioned primal-dual method of Chambolle and Pock. P takes away what runs
across the guide's edges, u is the guide as a sum of the channels, H is Huber's. Joint total
variation has ‖(λ_c P ∇x_c)_c‖₁,₂ in place of the sum: where one channel has an edge, those of
others cost less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tomoinr.builtin.blocks import portions
from tomoinr.builtin.edges import divergence, gradient, length
from tomoinr.builtin.fused.counts import nearest
from tomoinr.builtin.fused.guide import Mixture, along
from tomoinr.builtin.fused.signals import Signal
from tomoinr.builtin.linear import inverse_
from tomoinr.builtin.tv_state import RELAXATION
from tomoinr.team import Team

MULTIPLIED = 5  # iterations of maximum likelihood by factors, which find the right totals at once
LEAST = 1e-3  # of a pixel's noise: counts expected at the start


@dataclass(frozen=True, eq=False)
class Coupling:
    """What ties channels together; `sum_weight` 0: only edges do.

    `cautions` are one a channel, in standard errors of a voxel that all views see; `target` is
    Σ parts · x in counts, where the mixture holds; departures over `tolerance` of it are outliers.
    `joint`: total variation is one of all channels, not the sum of theirs.
    """

    cautions: tuple[float, ...]
    normals: Tensor | None = None  # (3, 1, y, z, x)
    mixture: Mixture | None = None
    target: Tensor | None = None  # (1, y, z, x)
    sum_weight: float = 0.0
    tolerance: float = 0.1
    joint: bool = False


class Iterates:
    """Primal and dual variables, and the steps that make them converge; densities in noise."""

    def __init__(
        self,
        signals: Sequence[Signal],
        coupling: Coupling,
        team: Team,
        last: Iterates | None = None,
    ) -> None:
        self.signals, self.coupling, self._team = tuple(signals), coupling, team
        self.seen = torch.cat([signal.seen for signal in signals])
        whole = self.seen.mean((1, 2, 3), keepdim=True)
        tilts = self.seen.new_tensor([s.map.data.shape[1] for s in signals]).view(-1, 1, 1, 1)
        cautions = self.seen.new_tensor(coupling.cautions).view(-1, 1, 1, 1).clamp(min=1e-6)
        self.strength = cautions / tilts.sqrt() * whole
        self._edge_step = whole / 24
        self._steps = [inverse_(signal.rows.clone()) for signal in signals]
        self._set_sum(float(whole.mean()))
        self.primal_step = 1 / (self.seen + whole / 2 + self._sum_scale * self.shares)
        self.x, self.data, self.edges, self.total = last.copies() if last else self._begin()

    def _set_sum(self, whole: float) -> None:
        """Each channel's share in the sum, of length one, and what it is to be."""
        sizes = self.seen.new_tensor([signal.size for signal in self.signals])
        mixture, target = self.coupling.mixture, self.coupling.target
        parts = sizes * (0 if mixture is None else mixture.parts.to(sizes))
        unit = max(float(parts.norm()), 1e-30)
        self.shares = (parts / unit).view(-1, 1, 1, 1)
        used = mixture is not None and target is not None and self.coupling.sum_weight > 0
        self._target = target / unit if used and target is not None else None
        self._sum_weight = self.coupling.sum_weight * whole
        self._sum_scale = whole / 2 if used else 0.0
        self._sum_step = self._sum_scale / max(float(self.shares.sum()), 1e-30)

    def _begin(self) -> tuple[Tensor, list[Tensor], Tensor, Tensor]:
        x = torch.cat([_multiplied(signal) for signal in self.signals])
        data = [_slope(s, x[i : i + 1]) for i, s in enumerate(self.signals)]
        return x, data, x.new_zeros((3, *x.shape)), torch.zeros_like(x[:1])

    def copies(self) -> tuple[Tensor, list[Tensor], Tensor, Tensor]:
        """For iterates of the same sizes with another coupling to set out from."""
        data = [one.clone() for one in self.data]
        return self.x.clone(), data, self.edges.clone(), self.total.clone()

    def step(self) -> Tensor:
        """One iteration; how much likelier a perfect fit would be, as a logarithm, a pixel: 0-d."""
        moved = self._moved()
        ahead = torch.lerp(self.x, moved, 2)
        losses = [self._pull_data(i, ahead[i : i + 1]) for i in range(len(self.signals))]
        self._pull_edges(ahead)
        self._pull_sum(ahead)
        self.x.lerp_(moved, RELAXATION)
        self.last = moved
        return torch.stack(losses).mean()

    def _moved(self) -> Tensor:
        """The primal step."""
        back = torch.cat([s.map.adjoint(y) for s, y in zip(self.signals, self.data, strict=True)])
        normals = self.coupling.normals
        back -= (
            divergence(along(self.edges, normals))
            if normals is not None
            else divergence(self.edges)
        )
        back += self.shares * self.total
        return torch.addcmul(self.x, back, self.primal_step, value=-1).clamp_(min=0)

    def _pull_data(self, i: int, ahead: Tensor) -> Tensor:
        """The dual step of one channel's counts."""
        signal, step = self.signals[i], self._steps[i]
        expected = signal.map.forward(ahead.contiguous())
        pull = step.clamp(min=1e-9)
        place = self.data[i] / pull + expected
        counting = signal.counting
        at = nearest(place, signal.counts, signal.size, counting.background, pull)
        moved = torch.where(step > 0, pull * (place - at), 0)
        self.data[i].lerp_(moved, RELAXATION)
        rate = (expected * signal.size + counting.background).clamp(min=LEAST)
        ratio = rate / signal.counts.clamp(min=LEAST)
        return signal.map.mean(rate - signal.counts - torch.xlogy(signal.counts, ratio))

    def _pull_edges(self, ahead: Tensor) -> None:
        """The dual step of the edges, a few slices at a time."""
        normals = self.coupling.normals
        for part in portions(ahead):
            some = None if normals is None else normals[:, :, part]
            slopes = along(gradient(ahead, part), some)
            pulled = self.edges[:, :, part] + self._edge_step * slopes
            excess = length(pulled).div_(self.strength)
            if self.coupling.joint:
                excess = torch.linalg.vector_norm(excess, dim=0, keepdim=True)
            pulled /= excess.clamp_(min=1)
            self.edges[:, :, part].lerp_(pulled, RELAXATION)

    def _pull_sum(self, ahead: Tensor) -> None:
        """The dual step of the sum; no voxel pulls more than one that is off by the tolerance."""
        if self._target is None:
            return
        off = (self.shares * ahead).sum(0, keepdim=True) - self._target
        weight, step = self._sum_weight, self._sum_step
        most = weight * self.coupling.tolerance * float(self._target.max())
        pulled = (self.total + step * off) * (weight / (weight + step))
        self.total.lerp_(pulled.clamp_(-most, most), RELAXATION)

    def densities(self) -> Tensor:
        """Counts a pixel of depth (channels, y, z, x), their totals those of the counts.

        What keeps edges down also takes from the total, by a factor that the counts know.
        """
        found = self.shown()
        for signal, one in zip(self.signals, found, strict=True):
            expected = signal.map.mean(signal.map.forward(one[None].contiguous()))
            counted = signal.map.mean(signal.counts - signal.counting.background)
            one.mul_(float(counted.clamp(min=0) / expected.clamp(min=1e-30)))
        return found

    def shown(self) -> Tensor:
        """The same as it is between steps, its totals not yet right."""
        sizes = self.last.new_tensor([signal.size for signal in self.signals])
        return self.last * sizes.view(-1, 1, 1, 1)

    def state_dict(self) -> dict[str, Any]:
        """The variables, those of all ranks' pixels put together."""
        data = [self._team.gather(y.movedim(2, 0).contiguous()).movedim(0, 2) for y in self.data]
        return {"x": self.x, "data": data, "edges": self.edges, "total": self.total}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        device = self.x.device
        self.x, self.edges, self.total = (state[k].to(device) for k in ("x", "edges", "total"))
        for i, signal in enumerate(self.signals):
            self.data[i] = signal.map.share(state["data"][i].to(device))


def _multiplied(signal: Signal) -> Tensor:
    """A start (1, y, z, x) by maximum likelihood, expectation after expectation."""
    x = torch.ones_like(signal.seen)
    for _ in range(MULTIPLIED):
        ratio = signal.counts / signal.expected(x.contiguous()).clamp(min=1e-6)
        x = x * signal.map.adjoint(ratio) / signal.seen.clamp(min=1e-6)
    return x


def _slope(signal: Signal, x: Tensor) -> Tensor:
    """Of minus the log-likelihood, by the expected value: where duals start."""
    expected = signal.expected(x.contiguous()).clamp(min=LEAST * signal.size)
    return signal.size * (1 - signal.counts / expected)
