"""The contract of readers and writers."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from tomoinr.data import Reconstruction, TiltSeries
from tomoinr.geometry import Grid, Poses
from tomoinr.io import load, save
from tomoinr.plugins import Plugins
from tomoinr.stack import Stack

ANGLES = (-57.3, -20.0, 0.25, 31.0, 60.0)


class FormatContract:
    """What is written is read back, and a broken file is refused in one line.

    Fixture `part`: (module with the hooks `tomoinr_read` and `tomoinr_write`, suffix of its files).
    """

    @pytest.fixture
    def part(self) -> tuple[ModuleType, str]:
        """The one thing a subclass gives."""
        raise NotImplementedError("define the fixture `part`: (hooks module, suffix)")

    @pytest.fixture
    def plugins(self, part: tuple[ModuleType, str]) -> Plugins:
        """These hooks alone."""
        return Plugins(part[0], installed=False)

    @pytest.fixture
    def path(self, part: tuple[ModuleType, str], tmp_path: Path) -> Path:
        """A file that is not there yet."""
        return tmp_path / f"file{part[1]}"

    @pytest.fixture
    def series(self) -> TiltSeries:
        """Images without symmetry."""
        return TiltSeries(torch.randn(5, 7, 6), torch.tensor(ANGLES).double(), 3.25)

    def test_series_round_trip(self, plugins: Plugins, path: Path, series: TiltSeries) -> None:
        """Values, angles and pixel size; angles given by the user win."""
        save(path, series, plugins=plugins)
        found = load(path, plugins=plugins)
        assert torch.equal(found.images, series.images)
        assert found.angles.tolist() == pytest.approx(series.angles.tolist(), abs=1e-4)
        assert found.pixel_size == pytest.approx(series.pixel_size, rel=1e-5)
        assert load(path, [1, 2, 3, 4, 5], plugins).angles.tolist() == [1, 2, 3, 4, 5]

    @pytest.mark.parametrize("order", ["imod", "xyz"])
    def test_volumes_keep_their_hand(
        self, plugins: Plugins, path: Path, series: TiltSeries, order: str
    ) -> None:
        """Read as a stack, a volume is the same or turned by a quarter about x: not mirrored."""
        voxels = np.random.default_rng(0).normal(size=(5, 5, 6)).astype(np.float32)
        poses = Poses.of(series.angles)
        grid = Grid((5, 5, 6), series.pixel_size)
        save(path, Reconstruction(voxels, grid, poses, (), series), order=order, plugins=plugins)
        found = load(path, ANGLES, plugins)
        turns = (1, -1) if order == "xyz" else (0,)
        assert any(np.array_equal(found.images[0], np.rot90(voxels, k)) for k in turns)
        assert found.pixel_size == pytest.approx(series.pixel_size, rel=1e-5)

    @pytest.mark.parametrize(
        "broken", ["missing", "empty", "garbage", "cut_short", "cut_to_a_stub"]
    )
    def test_broken_files_are_refused(
        self, plugins: Plugins, path: Path, series: TiltSeries, broken: str
    ) -> None:
        """By the reader itself with a ValueError or OSError, unless it says "not mine"."""
        save(path, series, plugins=plugins)
        whole = path.read_bytes()
        path.write_bytes(
            {
                "garbage": bytes(np.random.default_rng(0).integers(0, 256, 5000, np.uint8)),
                "cut_short": whole[:-40],
                "cut_to_a_stub": whole[: len(whole) // 10],
            }.get(broken, b"")
        )
        if broken == "missing":
            path.unlink()
        try:
            stack = plugins.read(path)
            assert stack is None or (isinstance(stack, Stack) and stack.read() is None)
        except (ValueError, OSError) as refusal:
            assert "\n" not in str(refusal)
        with pytest.raises((ValueError, OSError)) as refused:
            load(path, ANGLES, plugins)
        assert "\n" not in str(refused.value)
