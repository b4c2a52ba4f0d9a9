"""Specimens of known truth, drawn as solids with box-averaged edges.

Lengths are in units of half the shorter of the x and z sides, from the centre of the box, so one
seed gives one specimen at every sampling. A longer box adds room; a short y side cuts out the
central slices. Everything lies in the cylinder x² + z² < 0.88², so no tilt moves it off the image.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
from numpy.random import Generator
from scipy.spatial.transform import Rotation

from tomoinr.builtin.solids import Array, Canvas, Shape, crystal, ellipsoid, stick

INSIDE = 0.86


def turned(rng: Generator) -> Rotation:
    """A rotation, all equally likely."""
    return Rotation.from_quat(rng.normal(size=4))


def packed(rng: Generator, radii: Array, film: float = 0) -> list[tuple[Array, float]]:
    """Balls (centre, radius) that fall on a film, or else to the centre, until they touch."""
    balls: list[tuple[Array, float]] = []
    for radius in np.sort(radii)[::-1].tolist():
        up = rng.normal(size=3) * ((0, 0, 1) if film else 1)
        up /= np.linalg.norm(up)
        foot = up * (film + 0.85 * radius) + [*rng.normal(0, 0.36, 2), 0] if film else 0 * up
        height = 0.0
        for centre, other in balls:
            along = (centre - foot) @ up
            clear = (0.92 * (radius + other)) ** 2 - np.square(centre - foot - along * up).sum()
            height = max(height, along + clear**0.5) if clear > 0 else height
        if np.linalg.norm(foot + height * up) + radius < INSIDE:
            balls.append((foot + height * up, radius))
    return balls


FACETS = np.array([n for n in product((-1, 0, 1), repeat=3) if np.abs(n).sum() != 2 and any(n)])
ODD = np.abs(FACETS).sum(axis=1, keepdims=True)  # 1 for a cube's faces, 3 for an octahedron's
CRYSTALS = [  # blunt octahedron, truncated octahedron, cuboctahedron, blunt cube
    np.c_[FACETS / ODD**0.5, np.where(ODD == 1, 1, depth)] for depth in (0.64, 0.866, 1.155, 1.45)
]


def nanoparticles(shape: Shape, seed: int) -> Array:
    """Round and faceted particles of four densities, scattered and heaped on a thin flake."""
    rng, canvas, film = np.random.default_rng(seed), Canvas(shape), 0.03
    sides = (np.arange(9) + rng.uniform(-0.25, 0.25, 9)) * (2 * np.pi / 9)
    rim = np.c_[np.cos(sides), np.sin(sides), 0 * sides, rng.uniform(0.9, 1.1, 9)]
    flake = np.r_[rim, [(0, 0, 1, film), (0, 0, -1, film)]]
    canvas.draw(crystal((0, 0, 0), flake, INSIDE, Rotation.identity()), 0.12)
    for centre, radius in packed(rng, 0.17 * rng.uniform(0.2, 1, 60) ** 1.5, film):
        turn, value = turned(rng), rng.choice((1, 0.75, 0.5, 0.3))
        if rng.random() < 0.4:
            canvas.draw(ellipsoid(centre, radius * rng.uniform(0.8, 1, 3), turn), value)
        else:
            canvas.draw(crystal(centre, CRYSTALS[rng.integers(4)], radius, turn), value)
    return canvas.volume()


def core_shell(shape: Shape, seed: int) -> Array:
    """Touching shells with a solid core, a loose core, pores round the core, or nothing inside."""
    rng, canvas = np.random.default_rng(seed), Canvas(shape)
    for index, (centre, radius) in enumerate(packed(rng, rng.uniform(0.16, 0.34, 40))):
        turn, outer = turned(rng), radius * rng.uniform(0.9, 1, 3)
        aside, size, pores = ((0, 0.55, 0), (0.25, 0.42, 0), (0, 0.55, 10), (0, 0, 0))[index % 4]
        canvas.draw(ellipsoid(centre, outer, turn), rng.uniform(0.3, 0.5))
        if index % 2:
            canvas.draw(ellipsoid(centre, 0.75 * outer, turn), 0)
        if size:
            core = centre + turn.apply((aside * radius, 0, 0))
            canvas.draw(crystal(core, CRYSTALS[index % 3], size * radius, turn), 1)
        for way in rng.normal(size=(pores, 3)):
            pore = centre + 0.62 * radius * way / np.linalg.norm(way)
            canvas.draw(ellipsoid(pore, radius * rng.uniform(0.1, 0.18)), 0)
    return canvas.volume()


def dendrite(shape: Shape, seed: int) -> Array:
    """A hyperbranched crystal: eight arms that fork again and again and grow thinner."""
    rng, canvas = np.random.default_rng(seed), Canvas(shape)
    arms = turned(rng).apply(list(product((-1, 1), repeat=3))) / 3**0.5
    buds = [(np.zeros(3), arm, rng.uniform(0.2, 0.27), 0.065) for arm in arms]
    while buds:
        start, way, length, radius = buds.pop()
        end = start + length * way
        if radius < 0.022 or np.linalg.norm(end) + radius > INSIDE:
            continue
        canvas.fuse(stick(start, end, radius))
        for fork in way + rng.normal(0, 0.32, (rng.integers(2, 4), 3)):
            shorter = length * rng.uniform(0.65, 0.9)
            buds.append((end, fork / np.linalg.norm(fork), shorter, 0.78 * radius))
    return canvas.volume()


def ellipsoids(shape: Shape, seed: int) -> Array:
    """A dense rim round soft matter with empty, faint, dense and smooth inclusions."""
    rng, canvas = np.random.default_rng(seed), Canvas(shape)
    rim, turn = np.array([0.66, 0.82, 0.76]), Rotation.from_rotvec(rng.normal(0, 0.15, 3))
    canvas.draw(ellipsoid((0, 0, 0), rim, turn), 1)
    canvas.draw(ellipsoid((0, 0, 0), rim - 0.06, turn), 0.3)
    for value in (0, 0.05, 0.2, 0.25, 0.27, 0.28, 0.32, 0.33, 0.35, 0.4, 0.5, 0.8):
        way, radii = rng.normal(size=3), rng.uniform(0.05, 0.22, 3)
        centre = turn.apply(rng.uniform(0.2, 0.65) * rim * way / np.linalg.norm(way))
        canvas.draw(ellipsoid(centre, radii, turned(rng)), value)
        canvas.glow(-centre, radii + 0.05, (value - 0.3) / 3)
    return np.clip(canvas.volume(), 0, None)


def asymmetric_positions(shape: Shape, seed: int) -> Array:
    """The centres (6, 3) of the balls of `asymmetric`: x, y, z in voxels from the box's centre."""
    x = (0.45, -0.35, 0.1, -0.2, 0.5, -0.5)
    y = (0.3, 0.45, -0.5, -0.25, -0.1, 0.05)
    z = (0.2, -0.3, 0.45, -0.55, -0.45, 0.3)
    jitter = np.random.default_rng(seed).uniform(-0.05, 0.05, (6, 3))
    return (np.transpose([x, y, z]) + jitter) * (min(shape[1:]) / 2)


def asymmetric(shape: Shape, seed: int) -> Array:
    """Six balls of unlike size and density, far from every mirror image of themselves."""
    canvas, centres = Canvas(shape), asymmetric_positions((2, 2, 2), seed)
    radii, values = (0.17, 0.13, 0.11, 0.15, 0.2, 0.22), (1, 0.7, 0.9, 0.5, 0.8, 0.4)
    for centre, radius, value in zip(centres, radii, values, strict=True):
        canvas.draw(ellipsoid(centre, radius), value)
    return canvas.volume()


DRAWN = (nanoparticles, core_shell, dendrite, ellipsoids, asymmetric)
PHANTOMS: dict[str, Callable[[Shape, int], Array]] = {draw.__name__: draw for draw in DRAWN}
