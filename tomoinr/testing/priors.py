"""The contract of priors."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from torch import Tensor

from tomoinr.geometry import Grid
from tomoinr.interfaces import Prior
from tomoinr.testing.parts import AnyPart, Build
from tomoinr.testing.specimens import blobs


class PriorContract(AnyPart):
    """A prior measures roughness or size: never below zero, the same for mirror images.

    Fixture `part`: the class, or (class, options); made as `cls(options)`.
    `zero_for_constant`: a constant costs nothing (else only an empty volume does).
    `homogeneous`: twice the density costs twice as much.
    `tolerance`: relative difference allowed in these and between mirror images.
    """

    zero_for_constant: ClassVar[bool] = True
    homogeneous: ClassVar[bool] = True
    tolerance: ClassVar[float] = 1e-3

    @pytest.fixture
    def prior(self, build: Build) -> Prior:
        """The prior."""
        made: Prior = build()
        return made

    @pytest.fixture
    def voxels(self) -> Tensor:
        """An asymmetric raster of two channels."""
        return blobs(Grid((14, 10, 12))).voxels(Grid((14, 10, 12)))

    def test_is_above_zero(self, prior: Prior, voxels: Tensor) -> None:
        """One number, for densities of either sign."""
        for raster in (voxels, -voxels):
            assert prior.penalty(raster).shape == ()
            assert prior.penalty(raster) > 0

    def test_costs_nothing_for_the_plainest(self, prior: Prior, voxels: Tensor) -> None:
        """A constant, or nothing at all."""
        plainest = torch.full_like(voxels, 3.0 if self.zero_for_constant else 0.0)
        assert prior.penalty(plainest) == pytest.approx(0, abs=1e-6)

    def test_gradient_is_finite(self, prior: Prior, voxels: Tensor) -> None:
        """At an empty volume, where norms have a kink, and elsewhere."""
        for raster in (torch.zeros_like(voxels), voxels):
            raster.requires_grad_()
            (gradient,) = torch.autograd.grad(prior.penalty(raster), raster)
            assert gradient.isfinite().all()

    @pytest.mark.parametrize("axis", [1, 2, 3])
    def test_mirror_images_cost_the_same(self, prior: Prior, voxels: Tensor, axis: int) -> None:
        """Along every axis."""
        cost = float(prior.penalty(voxels))
        assert float(prior.penalty(voxels.flip(axis))) == pytest.approx(cost, rel=self.tolerance)

    def test_grows_with_the_density(self, prior: Prior, voxels: Tensor) -> None:
        """In proportion, if homogeneous."""
        if not self.homogeneous:
            pytest.skip("not homogeneous")
        cost = 3 * float(prior.penalty(voxels))
        thrice = float(prior.penalty(3 * voxels))
        hint = "set homogeneous = False if it is not meant to be"
        assert thrice == pytest.approx(cost, rel=self.tolerance), hint
