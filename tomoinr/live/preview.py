"""A picture of a run under way."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from tomoinr.errors import TomoinrError
from tomoinr.live.curve import Drawing, Line
from tomoinr.live.glance import EVERY, Glance
from tomoinr.live.moment import Moment
from tomoinr.live.planes import NAMES, greys, png

EDGE, PANEL, CURVE, TEXT = 14, 300, 130, 15  # pixels
WIDE = 4 * EDGE + 3 * PANEL
TOP = EDGE + 2 * (TEXT + 8)
HIGH = TOP + PANEL + 2 * (TEXT + 10) + CURVE + EDGE
Font = ImageFont.ImageFont | ImageFont.FreeTypeFont
PAPER, INK, FAINT, LOSS, HELD = "#ffffff", "#1a1a1a", "#8a8a8a", "#1f5fa8", "#c8641e"


class Preview(Glance):
    """An observer that draws three slices, the losses and the stage into a PNG file.

    The file is replaced every two seconds, or less often: it takes a hundredth of the time.
    """

    def __init__(self, path: str | Path, speaks: bool = True, every: float = EVERY) -> None:
        path = Path(path)
        if path.suffix.lower() != ".png":
            raise TomoinrError(f"{path}: a preview is a PNG file; give it the suffix .png")
        if not path.absolute().parent.is_dir():
            raise TomoinrError(f"{path}: there is no such folder; make it first")
        super().__init__(path, speaks, every)

    def _content(self, moment: Moment, state: str) -> bytes:
        page = Image.new("RGB", (WIDE, HIGH), PAPER)
        draw, font = ImageDraw.Draw(page), ImageFont.load_default(TEXT)
        title = moment.title if state == "running" else state
        draw.text((EDGE, EDGE), f"{title}   {self._part:.0%}   {moment.left}", INK, font)
        draw.text((EDGE, EDGE + TEXT + 8), self._figures, FAINT, font)
        for i, (name, slice_) in enumerate(zip(NAMES, greys(self._planes), strict=True)):
            left = EDGE + i * (PANEL + EDGE)
            fitting = _fitted(slice_)
            corner = ((PANEL - fitting.width) // 2 + left, (PANEL - fitting.height) // 2 + TOP)
            page.paste(fitting, corner)
            draw.text((left, TOP + PANEL + 5), name.replace("–", "-"), FAINT, font)
        _draw_curve(draw, self._curve.drawing(), font)
        return png(page)


def _fitted(slice_: Image.Image) -> Image.Image:
    """As large as a panel takes; pixels stay pixels."""
    times = PANEL / max(slice_.size)
    size = [max(1, round(n * times)) for n in slice_.size]
    return slice_.resize((size[0], size[1]), Image.Resampling.NEAREST)


def _draw_curve(draw: ImageDraw.ImageDraw, drawn: Drawing, font: Font) -> None:
    top, low, wide = HIGH - EDGE - CURVE, HIGH - EDGE, WIDE - 2 * EDGE

    def placed(line: Line) -> Line:
        return [(EDGE + x * wide, low - y * CURVE) for x, y in line]

    draw.rectangle((EDGE, top, EDGE + wide, low), outline="#dddddd")
    for x in drawn.stages:
        draw.line((EDGE + x * wide, top, EDGE + x * wide, low), "#dddddd")
    for line, colour in ((drawn.loss, LOSS), (drawn.validation, HELD)):
        if len(line) > 1:
            draw.line(placed(line), colour, 2, joint="curve")
    draw.text(
        (EDGE, top - TEXT - 8),
        f"loss {drawn.high:.3g} to {drawn.low:.3g} ({drawn.scale})",
        LOSS,
        font,
    )
    if drawn.validation:
        draw.text((EDGE + PANEL, top - TEXT - 8), "validation", HELD, font)
