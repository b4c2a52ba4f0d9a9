"""What is where no specimen is: borders of images, and smooth surfaces through them."""

from __future__ import annotations

from typing import Literal

import numpy as np
from torch import Tensor

Sides = Literal["all", "x", "y"]
MOST = 20_000  # pixels of a border that are looked at: their mean is known well enough
ROUNDS = 20
BISQUARE = 4.685  # robust standard deviations: 95 % as precise as least squares on normal noise
MAD = 1.4826  # times the median deviation is the standard deviation of normal numbers
TINY = 1e-9


def surface(image: Tensor, order: int, width: float, sides: Sides) -> np.ndarray:
    """A polynomial through the border of an image (rows, columns), whatever part stands out."""
    y, x = (np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in image.shape)
    rows, columns = _border(image.shape, width, sides)
    values = image.numpy()[rows, columns].astype(np.float64)
    powers = [(i, j) for i in range(order + 1) for j in range(order + 1 - i)]
    design = np.stack([y[rows] ** i * x[columns] ** j for i, j in powers], axis=1)
    table = np.zeros((order + 1, order + 1))
    table[tuple(zip(*powers, strict=True))] = robust_fit(design, values)
    return np.vander(y, order + 1, True) @ table @ np.vander(x, order + 1, True).T


def level(image: Tensor, width: float, sides: Sides) -> float:
    """The usual value at the border of an image (rows, columns)."""
    rows, columns = _border(image.shape, width, sides)
    values = image.numpy()[rows, columns].astype(np.float64)
    return float(robust_fit(np.ones((len(values), 1)), values)[0])


def _border(shape: tuple[int, ...], width: float, sides: Sides) -> tuple[np.ndarray, ...]:
    """Rows and columns of pixels at the border, evenly thinned if there are many."""
    rows, columns = shape
    inside = np.zeros((rows, columns), dtype=bool)
    high, wide = (max(1, round(width * n)) for n in (rows, columns))
    kept_rows = slice(None) if sides == "x" else slice(high, rows - high)
    kept_columns = slice(None) if sides == "y" else slice(wide, columns - wide)
    inside[kept_rows, kept_columns] = True
    border = np.flatnonzero(~inside)
    thinned = border[np.linspace(0, len(border) - 1, min(MOST, len(border))).round().astype(int)]
    return np.unravel_index(thinned, (rows, columns))


def robust_fit(design: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Coefficients (P,) for a design (N, P): least deviations, then Tukey's bisquare."""
    found = _solved(design, values, np.ones_like(values))
    least = TINY * (np.abs(values).max() + TINY)
    for _ in range(ROUNDS):
        found = _solved(design, values, 1 / np.maximum(np.abs(values - design @ found), least))
    for _ in range(ROUNDS):
        left = np.abs(values - design @ found)
        far = left / (BISQUARE * MAD * np.median(left) + least)
        found = _solved(design, values, np.maximum(1 - far**2, 0) ** 2)
    return found


def _solved(design: np.ndarray, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted least squares; what the values do not tell is zero."""
    weighted = design * weights[:, None]
    return np.linalg.lstsq(weighted.T @ design, weighted.T @ values, rcond=None)[0]
