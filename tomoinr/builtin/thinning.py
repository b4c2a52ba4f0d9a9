"""One series made into two whose noise is independent: one to learn from, one to judge by.

Every image stays in both. Counts are dealt out one by one; other noise is imitated.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tomoinr.builtin.blur import smooth
from tomoinr.builtin.noise import calibrate
from tomoinr.sampling import Draw

KEPT = 0.9  # of the counts, to learn from
THINNING = 13  # the stream of random numbers that deals them out
ROUND = 1e-2  # quanta by which a count, scaled in single precision, may be off
NEAR = 1.5  # measured gain and quantum may differ by so much


def thinned(images: Tensor, seed: int, part: float = KEPT) -> Tensor:
    """Those to learn from, as bright as the images (channels, tilts, rows, columns)."""
    generator = Draw(seed, 0).generator(THINNING)
    return torch.stack([_thin(channel, part, generator) for channel in images])


def held_out(images: Tensor, kept: Tensor, part: float = KEPT) -> Tensor:
    """The others, as bright as the images, of which `kept` were made by `thinned`."""
    return (images - part * kept) / (1 - part)


def _thin(images: Tensor, part: float, generator: np.random.Generator) -> Tensor:
    noise = calibrate(images)
    unit = quantum(images)
    if unit and 1 / NEAR < noise.gain / unit < NEAR:
        return torch.stack([_dealt(image, unit, part, generator) for image in images])
    random = generator.standard_normal(tuple(images.shape), dtype=np.float32)
    error = noise.variance(smooth(images)).sqrt() * ((1 - part) / part) ** 0.5
    return images + error * torch.from_numpy(random).to(images.device)


def _dealt(image: Tensor, unit: float, part: float, generator: np.random.Generator) -> Tensor:
    counts = (image / unit).round().long().cpu().numpy()
    kept = torch.from_numpy(generator.binomial(counts, part)).to(image)
    return kept * (unit / part)


def quantum(images: Tensor) -> float:
    """The value of one count, if pixels are whole numbers of them; else zero."""
    if float(images.min()) < 0 or not float(images.max()):
        return 0.0
    smallest = images[images > 0].min()
    counts = images / smallest
    return float(smallest) if float((counts - counts.round()).abs().max()) < ROUND else 0.0
