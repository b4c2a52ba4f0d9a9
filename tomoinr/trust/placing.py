"""Where images are that no volume was made from: what a choice of pose model is judged by."""

from __future__ import annotations

from dataclasses import replace
from math import degrees

import torch
from torch import Tensor, nn

from tomoinr.builtin.pose_steps import propose
from tomoinr.data import TiltSeries
from tomoinr.geometry import Poses, turn_y
from tomoinr.interfaces import PoseModel, Problem
from tomoinr.options import NoOptions
from tomoinr.team import Solo

BAND = 4  # rows: wide enough that noise common to neighbouring pixels tells one band little
FITS = 12  # steps to the pose of an image that was not seen
STILL = 1e-3  # pixels: less is no motion


def motions(before: Poses, after: Poses, series: TiltSeries) -> Tensor:
    """By how much poses changed (images, 4): right, down, turned, tilted; in pixels."""
    old, new = before.angles(), after.angles()
    shifts = ((new.dx - old.dx) / series.pixel_size, (new.dy - old.dy) / series.pixel_size)
    turns = (new.rotation - old.rotation, new.tilt - old.tilt)
    return torch.stack((*shifts, *(turn / _degrees(series) for turn in turns)), dim=1)


def moved(poses: Poses, change: Tensor, series: TiltSeries) -> Poses:
    """Poses changed as the usual image was."""
    right, down, turned, tilted = change.median(0).values.tolist()
    pixel, angle = series.pixel_size, _degrees(series)
    return poses.moved(pixel * right, pixel * down, angle * turned, angle * tilted)


def _degrees(series: TiltSeries) -> float:
    """The turn that moves the end of a row by a pixel."""
    return degrees(2 / series.shape[2])


class Loose(PoseModel):
    """Images that each move on their own, in some of the four ways."""

    name = "loose"

    def __init__(self, nominal: Poses, series: TiltSeries, free: Tensor) -> None:
        super().__init__()
        self.options = NoOptions()
        self._nominal, self._pixel, self._degrees = nominal, series.pixel_size, _degrees(series)
        self._ways = torch.eye(4)[free]
        self.pixels = nn.Parameter(torch.zeros(len(nominal.shift), len(self._ways)))

    def forward(self) -> Poses:
        """The nominal poses, tilted, turned and then shifted."""
        right, down, turned, tilted = (self.pixels @ self._ways).unbind(1)
        rotation = self._nominal.rotation @ turn_y(self._degrees * tilted)
        shift = self._nominal.shift + self._pixel * torch.stack((right, down), dim=1)
        return Poses(rotation, shift).turned(self._degrees * turned)


def placed(problem: Problem, weights: Tensor, change: Tensor) -> Tensor:
    """What images should show: each half of the bands where the other half says the image is."""
    first = (torch.arange(weights.shape[2]) // BAND % 2 == 0)[:, None]
    poses = [_fitted(problem, weights * half, change) for half in (~first, first)]
    shown = [replace(problem, poses=model).predict() for model in poses]
    return torch.where(first, shown[0], shown[1])


@torch.enable_grad()
def _fitted(problem: Problem, weights: Tensor, change: Tensor) -> PoseModel:
    """Where the weighed pixels say that the images are: shifts first, which reach farthest."""
    free = change.abs().amax(0) > STILL
    for ways in (free & torch.tensor((True, True, False, False)), free):
        model = Loose(problem.poses().to("cpu"), problem.series, ways)
        problem = replace(problem, poses=model)
        for _ in range(FITS if bool(ways.any()) else 0):
            propose(problem, Solo(), weights).accept(model)
    return problem.poses
