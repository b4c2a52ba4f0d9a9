"""The layers after the first: features (inputs, points) → one number a channel (channels, points).

Features come first and points last, which is the order in which lattices are encoded and volumes
are stored, and the faster one for narrow matrices.
"""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Callable
from itertools import pairwise
from textwrap import shorten
from typing import Any, Literal

import torch
from torch import Tensor, nn

from tomoinr.errors import reason

Precision = Literal["auto", "single", "half"]
Layer = tuple[Tensor, Tensor]
Layers = Callable[[Tensor], Tensor]
logger = logging.getLogger(__name__)

GAIN = 10.0  # of the weights of rectifiers, so that a step that suits sines suits them too
SPREAD = 0.05  # standard deviation of the output of a new network


class Network(nn.Module):
    """`depth` hidden layers of `width`; sines of frequency `omega`, or rectifiers if it is 0."""

    def __init__(
        self,
        inputs: int,
        width: int,
        depth: int,
        channels: int,
        omega: float = 0.0,
        precision: Precision = "auto",
    ) -> None:
        super().__init__()
        self._sine, self._scale, self._precision = omega > 0, omega or GAIN, precision
        sizes = [inputs, *[width] * depth]
        self.weights = nn.ParameterList(torch.empty(o, i) for i, o in pairwise(sizes))
        self.biases = nn.ParameterList(torch.zeros(o) for o in sizes[1:])
        # Three axes, so that no solver takes it for a hidden matrix, however many the channels.
        self.last = nn.Parameter(torch.empty(1, channels, sizes[-1]))
        self.offset = nn.Parameter(torch.zeros(channels))
        self._start()

    def layers(self) -> Layers:
        """The network as a function, its weights made ready once for many blocks of points."""
        dtype = self._dtype()
        hidden = [
            ((self._scale * w).to(dtype), (self._scale * b).to(dtype)[:, None])
            for w, b in zip(self.weights, self.biases, strict=True)
        ]
        last = self.last[0], self.offset[:, None]
        run = _fused() if self.last.is_cuda else _run
        return functools.partial(run, hidden, last, self._sine)

    def cost(self) -> int:
        """Bytes kept for the gradient of one point: what enters each matrix and each sine."""
        sines = sum(len(b) for b in self.biases) if self._sine else 0
        inputs = sum(w.shape[1] for w in self.weights)
        return 4 * self.last.shape[-1] + self._dtype().itemsize * (inputs + sines)

    def _dtype(self) -> torch.dtype:
        """Of the hidden layers."""
        auto = self._precision == "auto"
        half = self.last.is_cuda if auto else self._precision == "half"
        return torch.bfloat16 if half else self.last.dtype

    def _start(self) -> None:
        """Weights such that every layer's outputs are spread alike."""
        for weight, bias in zip(self.weights, self.biases, strict=True):
            inputs = weight.shape[1]
            bound = math.sqrt(6 / inputs) / self._scale
            nn.init.uniform_(weight, -bound, bound)
            if self._sine:
                nn.init.uniform_(bias, -1 / math.sqrt(inputs), 1 / math.sqrt(inputs))
        nn.init.normal_(self.last, std=SPREAD * math.sqrt(2 / self.last.shape[-1]))


def _run(hidden: list[Layer], last: Layer, waves: bool, features: Tensor) -> Tensor:
    """Hidden layers in the precision of their weights, the last in single precision."""
    for weight, bias in hidden:
        features = torch.addmm(bias, weight, features.to(weight.dtype))
        features = sine(features) if waves else torch.relu_(features)
    return torch.addmm(last[1], last[0], features.to(last[0].dtype))


def sine(phases: Tensor) -> Tensor:
    """In place where no gradient needs the phases."""
    return phases.sin() if phases.requires_grad else phases.sin_()


class Fused:
    """`_run` with its activations fused, for any number of points; as it is where that fails."""

    def __init__(self) -> None:
        self._run: Callable[..., Tensor] = torch.compile(_run, dynamic=True)

    def __call__(self, *inputs: Any) -> Tensor:
        """The values; one failure (no Triton, no C compiler) settles it for good."""
        try:
            return self._run(*inputs)
        except Exception as error:  # of which class depends on what is missing, and on torch
            if self._run is _run:
                raise
            why = shorten(reason(error), 200)
            logger.warning("networks run slower, since torch.compile fails: %s", why)
            self._run = _run
            return _run(*inputs)


@functools.cache
def _fused() -> Fused:
    return Fused()
