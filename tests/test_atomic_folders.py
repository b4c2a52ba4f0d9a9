"""Folders appear whole or not at all, as files do."""

import errno
import os
from pathlib import Path

import pytest

from tomoinr.errors import TomoinrError
from tomoinr.io.atomic import atomic


def fill(folder: Path, text: str) -> None:
    """Two files, one of them further down."""
    (folder / "0" / "1").mkdir(parents=True)
    (folder / "meta").write_text(text)
    (folder / "0" / "1" / "piece").write_text(text)


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in files}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.zarr"


def test_a_folder_appears_only_when_it_is_whole(path: Path) -> None:
    with atomic(path) as temporary:
        assert (temporary.parent, temporary.suffix) == (path.parent, ".zarr")
        fill(temporary, "new")
        assert not path.exists()
    assert contents(path) == {"meta": "new", "0/1/piece": "new"}
    assert os.listdir(path.parent) == ["a.zarr"]


@pytest.mark.parametrize("taken", ["folder", "file"])
def test_what_is_there_is_replaced_only_by_force(path: Path, taken: str) -> None:
    fill(path, "old") if taken == "folder" else path.write_text("old")
    with pytest.raises(TomoinrError, match="already exists"), atomic(path):
        pass
    with atomic(path, force=True) as temporary:
        fill(temporary, "new")
        (temporary / "0" / "1" / "piece").unlink()
    assert contents(path) == {"meta": "new"}
    assert os.listdir(path.parent) == ["a.zarr"]


@pytest.mark.parametrize("appears", ["folder", "file"])
def test_what_appears_in_between_is_not_replaced(path: Path, appears: str) -> None:
    with pytest.raises(TomoinrError, match="already exists"), atomic(path) as temporary:
        fill(temporary, "mine")
        fill(path, "theirs") if appears == "folder" else path.write_text("theirs")
    assert contents(path.parent).popitem()[1] == "theirs"
    assert os.listdir(path.parent) == ["a.zarr"]


@pytest.mark.parametrize("force", [True, False])
def test_a_writer_that_fails_leaves_the_old_folder_and_nothing_else(
    path: Path, force: bool
) -> None:
    if force:
        fill(path, "old")
    before = contents(path.parent)
    with pytest.raises(KeyboardInterrupt), atomic(path, force) as temporary:
        fill(temporary, "half")
        raise KeyboardInterrupt
    assert contents(path.parent) == before
    assert os.listdir(path.parent) == (["a.zarr"] if force else [])


def full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_every_file_in_it_is_synced_and_a_full_disk_is_told(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(path, "old")
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    with atomic(path, force=True) as temporary:
        fill(temporary, "new")
    assert len(synced) == 2
    monkeypatch.setattr(os, "fsync", full_disk)
    with (
        pytest.raises(TomoinrError, match="cannot be written: No space left"),
        atomic(path, force=True) as temporary,
    ):
        fill(temporary, "newer")
    assert set(contents(path).values()) == {"new"}
    assert os.listdir(path.parent) == ["a.zarr"]


def test_an_old_folder_comes_back_when_the_new_cannot_take_its_place(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(path, "old")
    rename = os.rename

    def once(source: Path, target: Path) -> None:
        if (Path(source) / "meta").read_text() == "new":
            full_disk()
        rename(source, target)

    monkeypatch.setattr(os, "rename", once)
    with (
        pytest.raises(TomoinrError, match="No space left"),
        atomic(path, force=True) as temporary,
    ):
        fill(temporary, "new")
    assert set(contents(path).values()) == {"old"}
    assert os.listdir(path.parent) == ["a.zarr"]


def test_a_link_to_a_folder_is_replaced_and_what_it_names_stays(path: Path) -> None:
    fill(path.with_name("real"), "old")
    path.symlink_to("real")
    with atomic(path, force=True) as temporary:
        fill(temporary, "new")
    assert not path.is_symlink()
    assert set(contents(path).values()) == {"new"}
    assert set(contents(path.with_name("real")).values()) == {"old"}


def test_a_file_never_replaces_a_folder(path: Path) -> None:
    fill(path, "old")
    with (
        pytest.raises(TomoinrError, match="cannot be written"),
        atomic(path, force=True) as temporary,
    ):
        temporary.write_text("file")
    assert set(contents(path).values()) == {"old"}
    assert os.listdir(path.parent) == ["a.zarr"]
