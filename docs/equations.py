"""Equations as pictures in the page itself: no script, no font, nothing to load."""

from __future__ import annotations

import html
from typing import Any

from matplotlib.path import Path
from matplotlib.textpath import TextPath

SIZE = 18  # CSS pixels
LETTERS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C"}


def equation(source: str, language: str, css_class: str, options: Any, md: Any, **rest: Any) -> str:
    """The HTML of a block of TeX, a line each."""
    lines = [line.strip() for line in source.splitlines() if line.strip()]
    return f'<div class="{css_class}">{"".join(map(drawn, lines))}</div>'


def drawn(line: str) -> str:
    """One line as SVG in the colour of the text around it; its source is its name."""
    path = TextPath((0, 0), f"${line}$", size=SIZE)
    box = path.get_extents().padded(1)
    view = f"{box.x0:.1f} {-box.y1:.1f} {box.width:.1f} {box.height:.1f}"
    return (
        f'<svg role="img" aria-label="{html.escape(line)}" viewBox="{view}" '
        f'width="{box.width:.0f}" height="{box.height:.0f}"><path d="{outline(path)}"/></svg>'
    )


def outline(path: Path) -> str:
    """A path in SVG's letters; y grows downwards there."""
    words = []
    for points, code in path.iter_segments(simplify=False, curves=True):
        if code == Path.CLOSEPOLY:
            words.append("Z")
            continue
        pairs = points.reshape(-1, 2)
        words.append(LETTERS[code] + " ".join(f"{x:.1f},{-y:.1f}" for x, y in pairs))
    return "".join(words)
