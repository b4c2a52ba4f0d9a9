"""Where a result should not be believed, in plain sentences."""

from __future__ import annotations

from collections.abc import Iterator

from tomoinr.data import Reconstruction
from tomoinr.trust import image_doubts, pose_doubts
from tomoinr.trust.halves import Halves
from tomoinr.trust.residuals import PerTilt
from tomoinr.trust.robust import listed

POOR = 2.0  # usual χ²
AGREEING, AGREEING_WEDGE = 0.5, 0.75  # mean correlation of halves up to half of Nyquist
EMPTY = 0.2  # of the power at measured frequencies


def warnings(
    result: Reconstruction, fit: PerTilt, wedge: float, compared: Halves | None = None
) -> tuple[str, ...]:
    """One line each; none if nothing is suspicious. `wedge`: see `filled`; one channel."""
    series = result.series
    return (
        *image_doubts.blank(series),
        *image_doubts.saturated(series),
        *image_doubts.bright_borders(series),
        *image_doubts.unsteady_mass(series),
        *image_doubts.few_tilts(series),
        *pose_doubts.odd_poses(result),
        *pose_doubts.far_shifts(result),
        *pose_doubts.stretched_tilts(result),
        *_poor_fit(fit),
        *_unfilled(wedge),
        *(_disagreement(compared) if compared else ()),
    )


def _poor_fit(fit: PerTilt) -> Iterator[str]:
    if fit.usual > POOR:
        yield (
            f"The volume does not explain the images: residuals are {fit.usual**0.5:.2g} times "
            "the noise; look for poor alignment, a changing specimen, or too few steps."
        )
    if len(odd := fit.outliers):
        worst = max(fit.relative[odd])
        yield (
            f"Badly explained: {listed(odd, fit.sections, fit.angles)}, with up to {worst:.2g} "
            "times the usual χ²; look at them, and leave them out if they are spoiled."
        )


def _unfilled(wedge: float) -> Iterator[str]:
    if wedge < EMPTY:
        yield (
            f"Unfilled wedge: at frequencies that no tilt measured the volume holds {wedge:.0%} of "
            "the power elsewhere; expect it drawn out along the beam."
        )


def _disagreement(compared: Halves) -> Iterator[str]:
    measured, wedge = compared.curves.means(0.5)
    if measured < AGREEING:
        yield (
            f"Two halves of the tilts disagree even where they measured (mean correlation "
            f"{measured:.2f} up to half of Nyquist): poor alignment, or too much noise."
        )
    if wedge < AGREEING_WEDGE:
        yield (
            f"Two halves of the tilts disagree in the wedge (mean correlation {wedge:.2f} up to "
            "half of Nyquist): what the volume shows there is made up."
        )
