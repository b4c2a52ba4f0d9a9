"""How each image is turned, found without a volume: the rows must fit together over the tilts.

Every row of the images, at every frequency ω along it, is one number for each tilt. For any
specimen within a disc of radius R these numbers vary slowly with the tilt: their covariance is
2 J₁(ωRd) / (ωRd), d being the distance of two tilts on the unit circle. What does not fit that
is noise or a wrong turn; at ω = 0 this says that the row sums are the same in every tilt.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import j1
from torch import Tensor
from torch.nn import functional

from tomoinr.geometry import positions

FREE = 30.0  # how much brighter than on average a specimen may be at any frequency
UNEXPLAINED = 1e-4  # power that interpolation and the like leave unexplained, relative
JITTER = 3.0  # expected rms of the turns about their mean, degrees, before they are known
LEAST_JITTER = 0.05
CAUTIOUS = 0.6  # the errors of turns, as measured on phantoms, over those of the covariance
SWAY = 3.0  # expected rms of what is left to shift along the tilt axis, pixels
BLUR = 1.5  # along columns, pixels: derivatives of less than that are noise
COHERENT = 2 * math.sqrt(math.pi) * BLUR  # neighbouring rows that share their noise after it
SIDE = 64  # pixels across, about: enough for the low frequencies used here
REACH, STEP, ROUNDS = 8.0, 1.0, 8  # degrees, degrees, Newton steps


@dataclass(frozen=True)
class Turns:
    """What fits together best; `error`: the standard error of the mean turn, degrees."""

    angles: Tensor  # (T,), from x towards y, degrees
    shift: Tensor  # (T, 2) of the point given, pixels
    error: float
    surprise: Tensor  # (T,): the part of each image that the others do not foretell


class Rows:
    """Low frequencies of every row of blurred images, and how they may vary over the tilts."""

    def __init__(self, images: Tensor, degrees: Tensor) -> None:
        """Images (T, H, W) with no background, their tilts (T,)."""
        self.images, width = blur_columns(images), images.shape[2]
        span = math.radians(float(degrees.max() - degrees.min()))
        count = math.floor((len(degrees) / 2 - 1) / max(2 * span, 0.1))  # half the freedom is used
        index = torch.arange(min(max(count, 2), width // 4))
        self.waves = waves(width, index)
        self.back = self.waves.conj() * torch.where(index == 0, 1, 2) / width
        self.covariance = covariance(degrees, index * math.pi)
        top = self.images.to(torch.complex64) @ waves(width, torch.arange(width // 3, width // 2))
        self.noise = top.abs().square().mean().double()

    def spectra(self, images: Tensor) -> Tensor:
        """One number for each frequency, row and tilt: (F, H, T)."""
        return (images.to(torch.complex64) @ self.waves).permute(2, 1, 0)

    def fit(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Spectra, their misfit weighed by the noise, and the images (T, H, W) that do fit."""
        spectra = self.spectra(images)
        weights, floor = self.weights(spectra)
        misfit = spectra @ weights
        fitting = spectra - floor * misfit
        return weights, misfit, (fitting.permute(2, 1, 0) @ self.back.mT).real

    def window(self, shift: Tensor) -> Tensor:
        """One for every row that all images show, zero for the others: (H, 1)."""
        height = self.images.shape[1]
        places = positions(height)[:, None] + shift[:, 1]
        return (places.abs() < height / 2 - 1).all(1, keepdim=True).float()

    def weights(self, spectra: Tensor) -> tuple[Tensor, Tensor]:
        """Inverse covariance of the tilts (F, T, T) and power of what is no specimen (F, 1, 1)."""
        level = spectra.abs().square().double().mean((1, 2))
        signal = (level - self.noise).clamp(min=1e-6 * float(level.max()) + 1e-30)[:, None, None]
        floor = self.noise + UNEXPLAINED * signal
        whole = FREE * signal * self.covariance + floor * torch.eye(spectra.shape[2])
        return torch.linalg.inv(whole).to(spectra.dtype), floor.float()


def find_turns(images: Tensor, degrees: Tensor, shift: Tensor, common: bool = True) -> Turns:
    """Turn every image (T, H, W), no background, about its point `shift` (T, 2), in pixels.

    The point also moves along the tilt axis. Without `common` the mean turn stays at zero. Single
    turns are believed as far as they differ by more than their errors.
    """
    images, factor = shrunk(images)
    rows, shift, count = Rows(images, degrees), shift / factor, len(images)
    turns = torch.full((count,), best_common_turn(rows, shift) if common else 0.0)
    turns, shift, covariance, _ = fitted(rows, turns, shift, JITTER, common)
    jitter = real_jitter(turns, covariance)
    turns, shift, covariance, surprise = fitted(rows, turns, shift, jitter, common)
    return Turns(turns, shift * factor, float(covariance.mean().sqrt()), surprise)


def fitted(
    rows: Rows, turns: Tensor, shift: Tensor, jitter: float, common: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Turns (T,) and points (T, 2) after Newton's steps, the turns' covariance, the surprise.

    `jitter`: expected rms of the turns about their mean, degrees.
    """
    count = len(turns)
    apart = torch.eye(count).double() - 1 / count
    prior = torch.block_diag(apart / jitter**2, apart / SWAY**2)
    prior[:count, :count] += 0 if common else 1e6
    for _ in range(ROUNDS):
        images = moved(rows.images, turns, shift)
        slope, curvature, surprise = newton(rows, rows.window(shift), images)
        slope[:count] += prior[:count, :count] @ turns.double()
        inverse = torch.linalg.inv(curvature + prior + 1e-6 * torch.eye(2 * count))
        turn, along = -(inverse @ slope).float().clamp(-3, 3).view(2, count)
        angle, turns = torch.deg2rad(turns), turns + turn
        shift = shift + along[:, None] * torch.stack((-angle.sin(), angle.cos()), 1)
    return turns, shift, inverse[:count, :count], surprise


def real_jitter(turns: Tensor, covariance: Tensor) -> float:
    """What of the rms of the turns (T,) about their mean is not their errors, degrees.

    `covariance` (T, T) is that of turns drawn towards their mean by `JITTER`. Errors are less than
    it says, so the rms is made larger by as much: only how they compare matters.
    """
    apart = torch.eye(len(turns)).double() - 1 / len(turns)
    drawn = (apart @ covariance @ apart).diagonal()
    error = 1 / (1 / drawn - 1 / JITTER**2).clamp(min=1e-6)
    free = (turns - turns.mean()) * (1 + error / JITTER**2)
    real = (free.square() - CAUTIOUS**2 * error) / error
    return max(float(real.sum() / (1 / error).sum()), 0) ** 0.5 / CAUTIOUS + LEAST_JITTER


def best_common_turn(rows: Rows, shift: Tensor) -> float:
    """The turn after which the sums of the rows agree best over the tilts, degrees."""
    candidates = torch.arange(-REACH, REACH + STEP, STEP)
    spread = [
        moved(rows.images, turn.expand(len(shift)), shift).sum(2).var(0).sum()
        for turn in candidates
    ]
    return float(candidates[int(torch.stack(spread).argmin())])


def newton(rows: Rows, window: Tensor, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Derivatives of half the misfit by turns and shifts along: (2T,), (2T, 2T); surprise (T,)."""
    weights, misfit, fitting = rows.fit(images)
    changes = torch.stack([rows.spectra(change) for change in tangents(fitting)]) * window
    misfit = misfit * window
    slope = (changes.conj() * misfit).real.sum((1, 2)).flatten()
    overlap = torch.einsum("afhs,bfht,fst->asbt", changes.conj(), changes, weights).real
    unforetold = misfit / weights.diagonal(dim1=1, dim2=2).real[:, None]
    surprise = power(unforetold) / power(rows.spectra(images) * window).clamp(min=1e-30)
    side = slope.numel()
    return slope.double() / COHERENT, overlap.reshape(side, side).double() / COHERENT, surprise


def power(spectra: Tensor) -> Tensor:
    """Of each tilt: (F, H, T) -> (T,)."""
    return spectra.abs().square().sum((0, 1))


def tangents(images: Tensor) -> tuple[Tensor, Tensor]:
    """How images (T, H, W) change as they are moved back: a degree's turn, a pixel along."""
    ones, still = torch.ones(len(images)), torch.zeros(len(images), 2)
    turn = moved(images, ones / 4, still) - moved(images, -ones / 4, still)
    along = still + torch.tensor([0, 0.25])
    return turn * 2, (moved(images, 0 * ones, along) - moved(images, 0 * ones, -along)) * 2


def moved(images: Tensor, turns: Tensor, shift: Tensor, squeeze: Tensor | None = None) -> Tensor:
    """Images (T, H, W) with turns (T,), shifts (T, 2), in degrees and pixels, and squeeze undone.

    `squeeze` (T,) is by how much tilting made them narrower.
    """
    _, height, width = images.shape
    angle = torch.deg2rad(turns)
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    u, v = positions(width), positions(height)[:, None]
    u = u if squeeze is None else u * squeeze[:, None, None]
    x = cos * u - sin * v + shift[:, 0, None, None]
    y = sin * u + cos * v + shift[:, 1, None, None]
    places = torch.stack((x * (2 / width), y * (2 / height)), -1).to(images)
    return functional.grid_sample(images[:, None], places, mode="bicubic", align_corners=False)[
        :, 0
    ]


def shrunk(images: Tensor) -> tuple[Tensor, int]:
    """Images (T, H, W) of means over squares, not much wider than `SIDE`, and the squares' side."""
    factor = max(images.shape[2] // SIDE, 1)
    return functional.avg_pool2d(images[:, None], factor)[:, 0], factor


def blur_columns(images: Tensor) -> Tensor:
    """A Gaussian blur along the columns of (T, H, W)."""
    reach = round(3 * BLUR)
    bell = torch.exp(-0.5 * (positions(2 * reach + 1) / BLUR) ** 2)
    padded = functional.pad(images[:, None], (0, 0, reach, reach), mode="replicate")
    return functional.conv2d(padded, (bell / bell.sum())[None, None, :, None])[:, 0]


def waves(width: int, index: Tensor) -> Tensor:
    """The waves exp(-iωu) of some frequencies over a row: (W, F)."""
    phase = positions(width)[:, None] * index * (-2 * math.pi / width)
    return torch.complex(phase.cos(), phase.sin())


def covariance(degrees: Tensor, reach: Tensor) -> Tensor:
    """Of the tilts (T,), for every ωR in `reach`: (F, T, T)."""
    tilt = np.deg2rad(degrees.double().numpy())
    z = reach.double().numpy()[:, None, None] * 2 * np.abs(np.sin((tilt[:, None] - tilt) / 2))
    return torch.from_numpy(np.where(z < 1e-6, 1, 2 * j1(z) / np.maximum(z, 1e-6)))
