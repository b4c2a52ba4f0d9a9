"""How good a result is: what cannot be compared is refused."""

import numpy as np
import pytest

from tomoinr import TomoinrError
from tomoinr.metrics import score

TRUTH = np.random.default_rng(0).random((3, 12, 12))


def test_gain_and_offset_do_not_count() -> None:
    assert score(3 * TRUTH - 1, TRUTH).ssim == pytest.approx(1)
    assert score(TRUTH[:, ::-1], TRUTH).ssim < 0.5


@pytest.mark.parametrize(
    ("voxels", "truth", "says"),
    [
        (TRUTH[:, :10], TRUTH[:, :10], "slices of 10 × 12"),
        (TRUTH, TRUTH[1:], "cannot be compared"),
        (TRUTH, np.ones_like(TRUTH), "the same everywhere"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_line(voxels, truth, says) -> None:
    with pytest.raises(TomoinrError, match=says) as caught:
        score(voxels, truth)
    assert "\n" not in str(caught.value)
