"""Every format that is written keeps the contract of formats."""

import shutil
from pathlib import Path
from types import ModuleType

import pytest

import tomoinr_formats
from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.io import load, save
from tomoinr.plugins import Plugins
from tomoinr.testing import FormatContract


class TestHdf5(FormatContract):
    @pytest.fixture
    def part(self) -> tuple[ModuleType, str]:
        return tomoinr_formats, ".h5"


class TestEmd(FormatContract):
    @pytest.fixture
    def part(self) -> tuple[ModuleType, str]:
        return tomoinr_formats, ".emd"


class TestTiff(FormatContract):
    @pytest.fixture
    def part(self) -> tuple[ModuleType, str]:
        return tomoinr_formats, ".tif"


class TestNpz(FormatContract):
    @pytest.fixture
    def part(self) -> tuple[ModuleType, str]:
        return tomoinr_formats, ".npz"


class TestZarr(FormatContract):
    """A folder, which breaks in other ways than a file."""

    @pytest.fixture
    def part(self) -> tuple[ModuleType, str]:
        return tomoinr_formats, ".zarr"

    @pytest.mark.parametrize("broken", [".", "0/.zarray", "0/2", "cut 0/2/0/0/0", "cut 0/.zarray"])
    def test_broken_files_are_refused(
        self, plugins: Plugins, path: Path, series: TiltSeries, broken: str
    ) -> None:
        save(path, series, plugins=plugins)
        cut, _, name = broken.rpartition(" ")
        if cut:
            (path / name).write_bytes((path / name).read_bytes()[:-7])
        else:
            shutil.rmtree(path / name) if (path / name).is_dir() else (path / name).unlink()
        with pytest.raises(TomoinrError) as refused:
            load(path, plugins=plugins, angles=range(5))
        assert "\n" not in str(refused.value)
