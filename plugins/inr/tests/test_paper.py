"""The configuration of arXiv 2512.08113, network and training, as options of `joint`."""

import tomllib
from pathlib import Path

import numpy as np

from tomoinr import TiltSeries, reconstruct
from tomoinr_inr.hsiren import PAPER, PAPER_TRAINING


def test_the_papers_training_learns():
    x = np.linspace(-1, 1, 12, dtype=np.float32)
    disc = np.clip(4 * (0.6 - np.hypot(*np.meshgrid(x, x))), 0, 1)
    series = TiltSeries(np.stack([disc] * 9), np.linspace(-60, 60, 9))
    found = reconstruct(
        series,
        solver={"name": "joint", **PAPER_TRAINING, "batch": 128, "steps": 100},
        volume={"name": "hsiren", **PAPER, "winner": False, "width": 64},
        projector="quadrature",
        poses="fixed",
        priors=[],
    )
    losses = [record.loss for record in found.history]
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])


def test_the_readme_has_the_same_numbers():
    text = (Path(__file__).parents[1] / "README.md").read_text()
    recipe = tomllib.loads(text.split("```toml")[1].split("```")[0])
    solver, volume = dict(recipe["solver"]), dict(recipe["volume"])
    assert (solver.pop("name"), volume.pop("name")) == ("joint", "hsiren")
    assert solver == PAPER_TRAINING | {"betas": list(PAPER_TRAINING["betas"])}
    assert volume == PAPER and recipe["projector"] == {"name": "quadrature"}
