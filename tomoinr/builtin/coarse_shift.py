"""Where the specimen is in each image: by its centre of mass, or by its neighbours."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

from tomoinr.builtin.blur import smooth
from tomoinr.builtin.coarse_turn import moved, shrunk
from tomoinr.builtin.noise import alike
from tomoinr.geometry import positions

EDGE_MASS = 0.02  # the part of the mass that may lie at the edge of the field
UNSTEADY = 0.15  # relative spread of the masses over the tilts
WIDTH = 1.5  # pixels of `smooth`, which leaves 1 / (2 √π WIDTH) of the noise
CLEAR = 3.0  # what stands out of the noise by so many standard deviations is specimen
BAND = 8  # the correlation ignores what is wider than this part of the image
DETAIL = 1.5  # pixels: what is finer does not count in correlations
LEAST_SQUEEZE = 0.2  # the cosine beyond which a tilted image is not stretched any more
LEAST_MATCH = 0.2  # correlation below which two images tell nothing of each other
PASSES, ROUNDS = 2, 3


@dataclass(frozen=True)
class Field:
    """Images (T, H, W) less their background; which are usable; why mass is lost, if it is."""

    images: Tensor
    usable: Tensor
    truncated: str


def survey(images: Tensor) -> Field:
    """Background, blank and odd images, and whether the specimen is seen whole."""
    _, height, width = images.shape
    band = max(2, min(height, width) // 32)
    sides = images[:, :band], images[:, -band:], images[..., :band], images[..., -band:]
    level = torch.stack([side.mean((1, 2)) for side in sides]).amin(0)
    edge = torch.ones(height, width)
    edge[band:-band, band:-band] = 0
    usable = alike(images[None])
    images = images - level[:, None, None]
    mass = images.sum((1, 2))
    usual = mass[usable].median()
    spread = 1.48 * float((mass[usable] / usual - 1).abs().median())
    outside = float(((images * edge).sum((1, 2)) / mass.abs().clamp(min=1e-30))[usable].median())
    if outside > EDGE_MASS:
        return Field(images, usable, f"{outside:.0%} of the mass lies at its edge")
    if spread > UNSTEADY:
        return Field(images, usable, f"the mass varies by {spread:.0%} over the tilts")
    return Field(images, usable & ((mass / usual - 1).abs() < max(5 * spread, 0.3)), "")


def centres_of_mass(images: Tensor) -> Tensor:
    """Of what stands out of the noise in images (T, H, W) with no background: (T, 2), pixels."""
    _, height, width = images.shape
    blurred = smooth(images, WIDTH)
    edges = images[:, [0, 1, -2, -1]].flatten(1), images[..., [0, 1, -2, -1]].flatten(1)
    noise = torch.cat(edges, 1).std(1) / (2 * math.sqrt(math.pi) * WIDTH)
    clear = (blurred > (CLEAR * noise)[:, None, None]).to(images)
    shown = images * functional.max_pool2d(clear, 5, 1, 2)
    mass = shown.sum((1, 2)).clamp(min=1e-30)
    x, y = shown.sum(1) @ positions(width), shown.sum(2) @ positions(height)
    return torch.stack((x, y), 1) / mass[:, None]


def neighbours(images: Tensor, degrees: Tensor, turns: Tensor) -> Tensor:
    """Shifts (T, 2), pixels, of a truncated field: rows by their sums, columns by neighbours."""
    images, factor = shrunk(images)
    shift = torch.zeros(len(images), 2)
    for _ in range(PASSES):
        shift = fit_rows(images, turns, shift)
        shift = fit_columns(images, degrees, turns, shift)
    return shift * factor


def fit_rows(images: Tensor, turns: Tensor, shift: Tensor) -> Tensor:
    """Shifts (T, 2) moved along the tilt axis until the sums of the rows agree."""
    _, along = axes(turns)
    for _ in range(ROUNDS):
        sums = moved(images, turns, shift) @ taper(images.shape[2])
        sums = detail(sums[:, None]) * taper(images.shape[1])
        sums = sums / sums.norm(dim=2, keepdim=True).clamp(min=1e-30)
        step = torch.tensor([offset(one, sums.mean(0)) for one in sums])
        shift = shift + (step - step.median())[:, None] * along
    return shift


def fit_columns(images: Tensor, degrees: Tensor, turns: Tensor, shift: Tensor) -> Tensor:
    """Shifts (T, 2) moved across the tilt axis, from zero tilt outward, to fit the one before."""
    across, _ = axes(turns)
    order = torch.argsort(degrees)
    middle = int(degrees[order].abs().argmin())
    squeeze = torch.deg2rad(degrees).cos().clamp(min=LEAST_SQUEEZE).float()
    window = taper(images.shape[1])[:, None] * taper(images.shape[2])

    def stretched(i: int, far: float) -> Tensor:
        one, at = slice(i, i + 1), shift[i] + far * across[i]
        return detail(moved(images[one], turns[one], at[None], squeeze[one]))[0] * window

    far = [0.0] * len(shift)
    for side in (order[middle:].tolist(), order[: middle + 1].flip(0).tolist()):
        for before, i in pairwise(side):
            reference = stretched(before, far[before])
            for _ in range(ROUNDS):
                far[i] += float(squeeze[i]) * offset(stretched(i, far[i]), reference)
    return shift + torch.tensor(far)[:, None] * across


def axes(turns: Tensor) -> tuple[Tensor, Tensor]:
    """Unit vectors (T, 2) across and along the tilt axis in each image."""
    angle = torch.deg2rad(turns)
    cos, sin = angle.cos(), angle.sin()
    return torch.stack((cos, sin), 1), torch.stack((-sin, cos), 1)


def detail(images: Tensor) -> Tensor:
    """Neither noise nor what is as wide as a part of the image: (T, H, W)."""
    fine = smooth(images, DETAIL)
    return fine - smooth(fine, images.shape[2] / BAND)


def offset(rows: Tensor, reference: Tensor) -> float:
    """How far rows (k, n) are moved against others, to a fraction of a pixel; 0 if unlike."""
    count = rows.shape[1]
    spectrum = (torch.fft.rfft(rows) * torch.fft.rfft(reference).conj()).sum(0)
    match = torch.fft.fftshift(torch.fft.irfft(spectrum, n=count))
    match = match[count // 2 - count // 4 : count // 2 + count // 4 + 1]
    peak = int(match.argmax())
    if float(match[peak]) < LEAST_MATCH * float(rows.norm() * reference.norm()):
        return 0.0
    if not 0 < peak < len(match) - 1:
        return float(peak - count // 4)
    left, top, right = match[peak - 1 : peak + 2].tolist()
    return peak - count // 4 + 0.5 * (left - right) / min(left - 2 * top + right, -1e-30)


def taper(count: int) -> Tensor:
    """One in the middle, falling to zero over the outer eighths."""
    return (8 * (0.5 - positions(count, 1 / count).abs())).clamp(max=1)
