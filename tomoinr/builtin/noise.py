"""How noisy the images are, found from the images: variance = gain × intensity + floor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor

from tomoinr.builtin.blur import contrasts, smooth
from tomoinr.data import TiltSeries

BINS = 24
ENOUGH = 1 << 18  # pixels, of which the two numbers are found
TOLERATED = 0.02  # of the images' rms: what may be left of an image, however little of others
MODEL_ERROR = 0.002  # of the images' rms: what a lattice cannot show, however good the data
ROUNDS = 4
ABSORBED = 1.07  # makes up for the noise that a model takes for specimen
DARK = 0.05  # of the mean variance: no pixel has less
TRIMMED = 1.08  # makes up for what trimming takes from the mean of normal numbers' squares
CONTRAST = 4.0  # times more or less than the usual one: no image of the specimen
STRANGE = 2.0  # times the usual image's misfit: less and less of the specimen
OUTLIER = 6.0  # standard deviations beyond which a pixel counts as if it were there
JUDGED = 3
LEAST = 1e-3  # weight of what is not believed: never zero, so that it can be believed again


Variance = Callable[[int], Tensor]  # of the pixels of an image, by its number


@dataclass(frozen=True)
class Noise:
    """Variance of a pixel: `gain` × its expected value + `floor`, in the images' units."""

    gain: float
    floor: float

    def variance(self, expected: Tensor, mean: float | None = None) -> Tensor:
        """For expected pixels, never far below the `mean` variance; none: that of these pixels."""
        variance = self.without_least(expected)
        mean = float(variance.mean()) if mean is None else mean
        return variance.clamp_(min=max(DARK * mean, 1e-30))

    def without_least(self, expected: Tensor) -> Tensor:
        """For expected pixels, however dark."""
        return expected.clamp(min=0).mul_(self.gain).add_(self.floor)


def calibrate(
    images: Tensor, explained: Tensor | None = None, usable: Tensor | None = None
) -> Noise:
    """Fit the two numbers to images (tilts, rows, columns), or to what a model leaves of them.

    `usable`: of which of these the model is right; none: of all.
    Without a model, fourth differences along both axes leave only the corners of Fourier space,
    where specimens show little and white noise shows in full. The power, in bins of equal
    intensity, gives the variance at each intensity; what is left of the specimen adds to it.
    """
    if explained is None:
        level, left = map(_some, _corners(images))
    else:
        level = _some(explained, usable)
        left = (_some(images, usable) - level) * ABSORBED**0.5
    x, y = _binned(level.double(), left.double().square())
    design = np.stack((np.maximum(x, 0), np.ones_like(x)), axis=1)
    expected = np.full_like(y, y.mean() + 1e-30)
    for _ in range(ROUNDS):  # the error of a variance is in proportion to it
        (gain, floor), _ = nnls(design / expected[:, None], y / expected)
        expected = design @ (gain, floor) + 0.05 * y.mean() + 1e-30
    return Noise(float(gain), float(floor))


def _corners(images: Tensor) -> tuple[Tensor, Tensor]:
    """Fourth differences along rows and columns, of unit gain for white noise; and the level."""
    level = smooth(images)
    for axis in (1, 2):
        if images.shape[axis] >= 5:
            images = images.diff(n=4, dim=axis) / 70**0.5
            level = level.narrow(axis, 2, images.shape[axis])
    return level, images


def _some(images: Tensor, usable: Tensor | None = None) -> Tensor:
    """Enough pixels of the images that are: (pixels,)."""
    if usable is None:
        return images.flatten()[:: -(-images.numel() // ENOUGH)]
    chosen = usable.nonzero()[:, 0].tolist()
    size = images[0].numel()
    every = -(-len(chosen) * size // ENOUGH)
    # Those that the images in one piece would give, without making them one.
    parts = [images[i].flatten()[-k * size % every :: every] for k, i in enumerate(chosen)]
    return torch.cat(parts)


def _binned(level: Tensor, power: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Mean level and mean power of bins of equally many pixels."""
    parts = [part for part in torch.argsort(level).chunk(BINS) if len(part)]
    x = np.array([float(level[part].mean()) for part in parts])
    return x, np.array([float(_trimmed_mean(power[part])) for part in parts])


def _trimmed_mean(squares: Tensor) -> Tensor:
    """The mean power, less the largest hundredth: outliers are no noise."""
    return squares.sort().values[: max(1, round(0.99 * len(squares)))].mean() * TRIMMED


class Weighing(NamedTuple):
    """What the noise says about a fit: weights of pixels, and the standard error of a channel."""

    weights: Tensor  # (channels, tilts, rows, columns), about one on average
    error: Tensor  # (channels,) rms standard error of a pixel, in the images' units


def weigh(images: Tensor, explained: Tensor | None = None) -> Weighing:
    """Inverse variances of (channels, tilts, rows, columns), from the images or a model's rest.

    Images that are unlike the others, or that the model explains much worse, count little or
    not at all; so do single pixels that stand out.
    """
    weights, errors = torch.empty_like(images), []
    for number, (channel, found) in enumerate(zip(images, weights, strict=True)):
        if explained is None:
            errors.append(_by_itself(channel, found))
        else:
            errors.append(_by_model(channel, explained[number], found))
    return Weighing(weights.clamp_(min=LEAST), torch.stack(errors))


def precision(error: Tensor) -> Tensor:
    """What makes a weighing's weights inverse variances, in the images' units: one a channel."""
    return error.square().clamp(min=1e-30).reciprocal()


def alike(images: Tensor) -> Tensor:
    """Which images (channels, tilts, rows, columns) have about the usual contrast: (tilts,).

    All of them where that leaves fewer than two, as where most are blank.
    """
    contrast = torch.stack([contrasts(channel) for channel in images])
    relative = (contrast / contrast.median(1, keepdim=True).values.clamp(min=1e-30)).amax(0)
    usual = (relative > 1 / CONTRAST) & (relative < CONTRAST)
    return usual if int(usual.sum()) > 1 else torch.ones_like(usual)


def usual_by_tilt(series: TiltSeries) -> Tensor:
    """The indices of the images that are like the others, by angle; on the CPU."""
    good = alike(series.images).nonzero()[:, 0].cpu()
    return good[series.angles.cpu()[good].argsort(stable=True)]


def _by_itself(images: Tensor, weights: Tensor) -> Tensor:
    """Weights with no model: by brightness, without blank or odd images; the error."""
    usable = alike(images[None])
    noise = calibrate(images if bool(usable.all()) else images[usable])
    variance = _variance(images, smooth(images), usable, noise)
    means = torch.stack([variance(number).mean() for number in range(len(images))])
    mean = means[usable].mean()
    for number, weight in enumerate(weights):
        torch.div(mean * usable[number], variance(number), out=weight)
    return mean.sqrt()


def _by_model(images: Tensor, model: Tensor, weights: Tensor) -> Tensor:
    """Weights from what a model leaves; images it leaves too much of lose theirs. The error."""
    squares = torch.sub(images, model, out=weights).square_()  # until they are weights
    trusted = torch.ones(len(images), dtype=torch.bool, device=images.device)
    for _ in range(JUDGED):
        noise = calibrate(images, model, trusted)
        variance = _variance(images, model, trusted, noise)
        tolerated = TOLERATED**2 * _power(images, trusted)
        left, usual = _means(squares, variance)
        excess = (left + tolerated) / (usual + tolerated)
        excess = excess / excess.median()
        trusted = excess <= STRANGE
    mean = usual[trusted].mean()
    trust = (STRANGE / excess.clamp(min=STRANGE)).square()
    for number, far in enumerate(squares):
        expected = variance(number)
        far.div_(expected).div_(OUTLIER**2).clamp_(min=1)
        far.mul_(expected).reciprocal_().mul_(mean * trust[number])
    return mean.sqrt()


def _means(squares: Tensor, variance: Variance) -> tuple[Tensor, Tensor]:
    """Of each image: squares, none larger than what counts as if it were there; variances."""
    both = []
    for number, left in enumerate(squares):
        expected = variance(number)
        both.append((torch.minimum(left, OUTLIER**2 * expected).mean(), expected.mean()))
    left, usual = zip(*both, strict=True)
    return torch.stack(left), torch.stack(usual)


def _variance(images: Tensor, level: Tensor, usable: Tensor, noise: Noise) -> Variance:
    """Of an image's pixels, given what is expected there: noise and what no lattice can show."""
    more = MODEL_ERROR**2 * _power(images, usable)
    mean = float(torch.stack([noise.without_least(one).mean() for one in level]).mean())
    return lambda number: noise.variance(level[number], mean).add_(more)


def _power(images: Tensor, usable: Tensor) -> Tensor:
    """The mean square of the images that are: 0-d."""
    return torch.linalg.vector_norm(images, dim=(1, 2))[usable].square().mean() / images[0].numel()
