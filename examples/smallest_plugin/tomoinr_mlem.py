"""MLEM, the classical solver for counts: a complete plugin in one file."""

from dataclasses import dataclass

import torch

import tomoinr
from tomoinr.state import Iterate


class Mlem(tomoinr.Solver):
    """x ← x · Aᵀ(b / A x) / Aᵀ1: the likeliest densities if the images are counts."""

    name = "mlem"
    needs = frozenset({tomoinr.Ability.BLOCKS, tomoinr.Ability.LINEAR})
    partners = {"volume": ("voxels",), "poses": ("fixed",), "projector": ("slices",)}

    @dataclass(frozen=True)
    class Options:
        """What a recipe may set."""

        steps: int = tomoinr.option(30, "iterations; more fit more of the noise", low=1)

    def __init__(self, options):
        self.options = options

    def init(self, problem, team):
        """Grey everywhere: an iteration that multiplies cannot leave zero."""
        next(problem.volume.parameters()).data.fill_(1)
        return Iterate()

    def step(self, problem, state, team):
        """One iteration; the loss is the mean squared residual before it."""
        voxels = next(problem.volume.parameters())
        images, predicted = problem.series.images.clamp(min=0), problem.predict()
        (change,) = torch.autograd.grad(
            predicted, voxels, images / predicted.clamp(min=1e-6), retain_graph=True
        )
        (total,) = torch.autograd.grad(predicted, voxels, torch.ones_like(images))
        voxels.data *= change / total.clamp(min=1e-6)
        state.step += 1
        return (predicted - images).square().mean().detach()

    def done(self, problem, state):
        """After the iterations asked for."""
        return state.step >= self.options.steps


@tomoinr.hookimpl
def tomoinr_solvers():
    """What this plugin adds."""
    return [Mlem]
