"""A preview in a terminal: two pixels a letter in colour, or letters of different darkness."""

from __future__ import annotations

import numpy as np
from rich.console import Console
from rich.style import Style
from rich.text import Text

from tomoinr.cli.seen import Seen

RAMP = " .:-=+*#%@"  # from dark to bright
GAP, WIDEST = 2, 60  # letters between pictures, and across one


def preview(seen: Seen, console: Console) -> None:
    """Three pictures side by side: slices of a volume, or the first, middle and last image."""
    plane = seen.planes[0]
    shown = [(plane, plane.first) for plane in seen.planes]
    if len(shown) == 1:
        shown = [(plane, i) for i in dict.fromkeys((0, plane.first, plane.count - 1))]
    width = min(WIDEST, (console.width - GAP * (len(shown) - 1)) // len(shown))
    pictures = [_greys(plane.at(i), seen, width) for plane, i in shown]
    names = [
        f"{plane.title.partition(':')[0]}, {plane.name(i)}"
        if len(seen.planes) > 1
        else plane.name(i)
        for plane, i in shown
    ]
    console.print(seen.title, highlight=False, markup=False, soft_wrap=True)
    console.print((" " * GAP).join(f"{name[:width]:{width}}" for name in names), highlight=False)
    draw = _blocks if console.color_system in ("truecolor", "256") else _letters
    height = max(len(picture) for picture in pictures)
    for row in range(0, height, 2):
        line = Text()
        for number, picture in enumerate(pictures):
            line.append(" " * GAP if number else "")
            pair = picture[row : row + 2]
            line.append_text(draw(pair) if len(pair) == 2 else Text(" " * width))
        console.print(line, soft_wrap=True)


def _greys(image: np.ndarray, seen: Seen, width: int) -> np.ndarray:
    """0 to 1, row 0 at the bottom, `width` columns and an even number of rows: means of pixels."""
    rows = max(2, 2 * round(image.shape[0] * width / image.shape[1] / 2))
    levels = (np.nan_to_num(image) - seen.low) / (seen.high - seen.low)
    levels = _means(_means(levels, rows).T, width).T
    return np.clip(levels, 0, 1)[::-1]


def _means(values: np.ndarray, count: int) -> np.ndarray:
    """Rows shrunk to `count` by means of neighbours, or repeated to as many."""
    edges = np.arange(count) * len(values) // count
    if len(values) <= count:
        return values[edges]
    widths = np.diff([*edges, len(values)])
    return np.asarray(np.add.reduceat(values, edges, axis=0) / widths[:, None])


def _blocks(pair: np.ndarray) -> Text:
    """Two rows in one line: the upper half of a letter in front, the lower behind."""
    text = Text()
    for upper, lower in (pair * 255).astype(int).T:
        style = Style(
            color=f"rgb({upper},{upper},{upper})", bgcolor=f"rgb({lower},{lower},{lower})"
        )
        text.append("▀", style)
    return text


def _letters(pair: np.ndarray) -> Text:
    levels = (pair.mean(0) * (len(RAMP) - 1)).round().astype(int)
    return Text("".join(RAMP[level] for level in levels))
