"""The contract of preparations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

import pytest
import torch

from tomoinr.data import TiltSeries
from tomoinr.interfaces import Preparation
from tomoinr.testing.parts import AnyPart, Build

ANGLES = (-40.0, -21.0, -1.5, 18.0, 33.0, 52.0)
Prepare = Callable[[TiltSeries], TiltSeries]


class PreparationContract(AnyPart):
    """A preparation leaves its input alone, and each image keeps its section, angle and channel.

    Fixture `part`: the class, or (class, options); made as `cls(options)`. Images are positive, of
    two channels, 13 rows and 10 columns, with pixels of 2.5 Å.
    `tolerance`: relative difference allowed where two ways must give the same images.
    """

    tolerance: ClassVar[float] = 1e-5

    @pytest.fixture
    def step(self, build: Build) -> Preparation:
        """The preparation."""
        made: Preparation = build()
        return made

    @pytest.fixture
    def series(self) -> TiltSeries:
        """Images without symmetry, the first channel brighter than the second."""
        images = torch.rand(2, len(ANGLES), 13, 10) + torch.tensor([5.0, 2.0]).reshape(2, 1, 1, 1)
        return TiltSeries(images, torch.tensor(ANGLES), 2.5, ("dark field", "gold"))

    def test_leaves_its_input_alone(self, step: Preparation, series: TiltSeries) -> None:
        """Others may still use it."""
        images, angles = series.images.clone(), series.angles.clone()
        step.prepare(series)
        assert torch.equal(series.images, images) and torch.equal(series.angles, angles)

    def test_says_what_its_images_are(self, step: Preparation, series: TiltSeries) -> None:
        """Numbers, with the channels and source they had, and sections that were there before."""
        found = step.prepare(series)
        assert bool(found.images.isfinite().all())
        assert (found.channels, found.source) == (series.channels, series.source)
        assert set(found.sections) <= set(series.sections)
        assert len(set(found.sections)) == len(found.sections)

    def test_same_again(self, step: Preparation, series: TiltSeries) -> None:
        """The same images from the same images."""
        assert torch.equal(step.prepare(series).images, step.prepare(series).images)

    def test_sections_follow_their_images(self, step: Preparation, series: TiltSeries) -> None:
        """In whatever order they come."""
        shuffled = step.prepare(series.select([4, 0, 5, 2, 1, 3]))
        found = step.prepare(series)
        assert sorted(shuffled.sections) == sorted(found.sections)
        back = shuffled.select([shuffled.sections.index(section) for section in found.sections])
        self.check_same(back, found)
        assert torch.allclose(back.angles, found.angles)

    def test_apart_means_apart(self, step: Preparation, series: TiltSeries) -> None:
        """A few images at a time, and whatever their angles, if it says so."""
        if not step.apart:
            pytest.skip("it wants to see the whole series")
        found = step.prepare(series)
        other = replace(series, angles=torch.arange(6.0))
        self.check_same(step.prepare(other), found)
        few = [step.prepare(part) for part in (series.select([0, 1]), series.select([2, 3, 4, 5]))]
        together = torch.cat([part.images for part in few], dim=1)
        self.check_same(replace(found, images=together), found)
        assert all(part.pixel_size == found.pixel_size for part in few)

    def check_same(self, found: TiltSeries, wanted: TiltSeries) -> None:
        """The same images, to rounding."""
        allowed = self.tolerance * float(wanted.images.abs().max())
        torch.testing.assert_close(found.images, wanted.images, rtol=0, atol=allowed)
