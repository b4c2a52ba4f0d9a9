"""Damaged files end in one line; a missing or broken library in an instruction."""

import sys

import numpy as np
import pytest

import tomoinr_rosettasciio
from tomoinr import builtin
from tomoinr.errors import TomoinrError
from tomoinr.io import open_stack
from tomoinr.plugins import Plugins
from tomoinr_rosettasciio.library import require

KINDS = ("a.dm3", "a.dm4", "a.ser", "a.emd")


@pytest.fixture
def whole(dm, ser, velox, stack, tmp_path):
    """A sound file by its name."""

    def made(name):
        path = tmp_path / name
        image = {"array": stack, "scale": 1.0, "unit": "nm"}
        if path.suffix == ".ser":
            path.write_bytes(ser(stack, 1e-9))
        elif path.suffix == ".emd":
            velox(path, {"HAADF": stack}, [0.0, 1, 2, 3, 4])
        else:
            path.write_bytes(dm(int(path.suffix[-1]), [image]))
        return path

    return made


def outcome(path, plugins):
    """One line of refusal; none where the file is read after all, as it says it is."""
    try:
        found = open_stack(path, plugins)
        assert found.read().shape == (len(found.channels), *found.shape)
    except TomoinrError as error:
        assert "\n" not in str(error) and len(str(error)) < 600
        return str(error)
    except (OSError, ValueError):  # while images are read: the core tells these in a line
        return "while reading"
    return None


@pytest.mark.parametrize("name", KINDS)
def test_files_cut_short_are_refused(whole, plugins, name):
    path = whole(name)
    content = path.read_bytes()
    assert outcome(path, plugins) is None
    for share in (0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9):
        path.write_bytes(content[: max(1, int(share * len(content)))])
        assert outcome(path, plugins), f"cut to {share:.1%}"


@pytest.mark.parametrize("name", KINDS)
def test_flipped_bytes_are_refused_or_harmless(whole, plugins, name):
    path = whole(name)
    content = np.frombuffer(path.read_bytes(), np.uint8)
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(30):
        flipped = content.copy()
        places = random.integers(0, min(len(content), 1500), 3)
        flipped[places] ^= random.integers(1, 256, 3).astype(np.uint8)
        path.write_bytes(flipped.tobytes())
        refused += outcome(path, plugins) is not None
    assert refused


@pytest.mark.parametrize("suffix", [".dm3", ".dm4", ".bcf", ".ser", ".emi", ".hspy", ".blo",
                                    ".mib", ".tvips", ".unf", ".rpl", ".prz", ".nxs", ".de5",
                                    ".pts", ".spd"])  # fmt: skip
@pytest.mark.parametrize("content", [b"\0" * 3000, b"hello\n" * 500, b"\x89HDF\r\n\x1a\n" * 200])
def test_what_is_nothing_of_the_kind_is_refused(plugins, tmp_path, suffix, content):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    assert outcome(path, plugins)


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize("size", [5, 7])  # images, rows
def test_headers_that_tell_too_much_are_refused(dm, plugins, stack, tmp_path, version, size):
    path = tmp_path / "a.dm"
    sound = dm(version, [{"array": stack, "scale": 1.0, "unit": "nm"}])
    large = sound.replace(bytes((size, 0, 0, 0)), bytes((size, 0, 0, 16)))  # and 2^28 more
    assert large != sound
    path.write_bytes(large)
    with pytest.raises(TomoinrError, match=r"tells of \d{10,} bytes of images, but is a file of"):
        open_stack(path, plugins)


@pytest.fixture
def without(monkeypatch):
    """Makes a module impossible to import."""
    return lambda name: monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.parametrize("module", ["rsciio", "dask", "h5py"])
def test_the_host_lists_it_as_broken_with_the_instruction(without, module):
    without(module)
    plugins = Plugins(builtin, tomoinr_rosettasciio, installed=False)
    (broken,) = plugins.broken
    assert broken.plugin == "tomoinr_rosettasciio"
    assert "is not installed: pip install" in broken.reason
    assert plugins.has("volume", "voxels")


def test_a_file_says_what_it_needs(whole, without, tmp_path):
    path = whole("a.dm3")
    without("rsciio")
    with pytest.raises(TomoinrError, match="rosettasciio is not installed: pip install"):
        open_stack(path, Plugins(tomoinr_rosettasciio, installed=False))


def test_a_folder_of_that_name_is_not_rosettasciio(monkeypatch, tmp_path):
    (tmp_path / "rsciio").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "rsciio", raising=False)
    with pytest.raises(TomoinrError, match="rosettasciio is not installed"):
        require()


def test_a_broken_rosettasciio_says_what_is_wrong(whole, without, plugins):
    path = whole("a.dm3")
    without("rsciio.digitalmicrograph")
    with pytest.raises(TomoinrError, match=r"broken, or too old .*digitalmicrograph.*pip install"):
        open_stack(path, plugins)
