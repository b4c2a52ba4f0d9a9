"""Loading and saving: plain refusals, whole files or none, poses that come back."""

import errno
import json
import os
import tomllib
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tomoinr.builtin import mrc
from tomoinr.data import Reconstruction, Record, TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Grid, Poses, place
from tomoinr.hookspecs import hookimpl
from tomoinr.io import (
    RESULTS,
    check_file,
    check_folder,
    load,
    read_poses,
    save,
    save_reconstruction,
)
from tomoinr.io.angles import read_angles
from tomoinr.io.atomic import atomic
from tomoinr.io.poses import CONVENTION
from tomoinr.plugins import Plugins

PLUGINS = Plugins(mrc, installed=False)


def series(tilts: int = 4, pixel_size: float = 2.0) -> TiltSeries:
    angles = torch.linspace(-60, 60, tilts, dtype=torch.float64)
    return TiltSeries(torch.rand(tilts, 6, 5), angles, pixel_size)


def result(poses: Poses | None = None, data: TiltSeries | None = None) -> Reconstruction:
    data = data or series()
    poses = poses or Poses.of(data.angles)
    history = (Record(1, 0.5, 0.1), Record(2, 0.25, 0.2))
    voxels = np.ones((2, 3, 4), np.float32)
    recipe = {"seed": 3, "volume": {"name": "voxels"}}
    return Reconstruction(voxels, Grid((2, 3, 4), 2.0), poses, history, data, recipe)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize(
    ("given", "angles"),
    [
        ("-60:60:60", (-60, 0, 60)),
        ("60:-60:-60", (60, 0, -60)),
        ("0:0.3:0.1", (0, 0.1, 0.2, 0.3)),
        ("0:1:0.3", (0, 0.3, 0.6, 0.9)),
        ([1, 2.5], (1, 2.5)),
        (np.array([[1, 2]], ">i2"), (1, 2)),
        (torch.tensor([3.0, 4.0]), (3, 4)),
    ],
)
def test_angles_in_every_form(given: object, angles: tuple[float, ...]) -> None:
    assert read_angles(given) == pytest.approx(angles)


def test_a_range_of_many_steps_has_both_ends() -> None:
    angles = read_angles("-60:60:0.1")
    assert len(angles) == 1201
    assert angles[-1] == pytest.approx(60)


def test_angle_files_may_hold_comments_and_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "stack.tlt"
    path.write_bytes(b"# degr\xe9s\r\n  -60.00\r\n\r\n0 # upright\r\n6e1\r\n")
    assert read_angles(path) == read_angles(str(path)) == (-60, 0, 60)


@pytest.mark.parametrize(
    "given",
    ["1:2", "a:b:c", "0:10:0", "0:10:-1", "0:1e9:1e-9", "0:nan:1", "0:inf:1", "no-such-file",
     [1, float("nan")], ["a"], [[1], [2, 3]], None],
)  # fmt: skip
def test_bad_angles_are_refused_in_one_line(given: object) -> None:
    with pytest.raises(TomoinrError) as caught:
        read_angles(given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [("0\n\n1 2\n", "line 3: '1 2'"), ("0\nnan\n", "line 2"), ("x" * 9999, "line 1"),
     ("# none\n", "holds no angles"), ("0\n" * 6_000_000, "too large")],
)  # fmt: skip
def test_bad_angle_files_name_the_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "a.tlt").write_text(text)
    with pytest.raises(TomoinrError, match=says) as caught:
        read_angles(tmp_path / "a.tlt")
    assert len(str(caught.value)) < 300


def reader(answer: Callable[[], object]) -> Plugins:
    """A stranger's plugin that reads as told."""
    module = types.ModuleType("stranger")

    @hookimpl
    def tomoinr_read(path: Path) -> object:
        return answer()

    module.tomoinr_read = tomoinr_read  # type: ignore[attr-defined]
    return Plugins(module, installed=False)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.mrc").touch()
    (tmp_path / "notes.txt").write_text("hello")
    for name, says in (
        ("missing.mrc", "no such file"),
        (".", "not a file"),
        ("empty.mrc", "empty"),
        ("notes.txt", r"no reader knows.*formats\.md"),
    ):
        with pytest.raises(TomoinrError, match=says) as caught:
            load(tmp_path / name, (0, 1), PLUGINS)
        assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "says"),
    [(lambda: 1 / 0, "stack.xyz: cannot be read: ZeroDivisionError"),
     (lambda: {}["two\nlines"], "cannot be read: KeyError"),
     (lambda: Path("/no/such").read_bytes(), "No such file"),
     (lambda: "a string", "no reader knows")],
)  # fmt: skip
def test_a_strangers_reader_cannot_raise_a_traceback(
    tmp_path: Path, answer: Callable[[], object], says: str
) -> None:
    (tmp_path / "stack.xyz").write_text("x")
    with pytest.raises(TomoinrError, match=says) as caught:
        load(tmp_path / "stack.xyz", (0, 1), reader(answer))
    assert "\n" not in str(caught.value)


def test_no_file_is_replaced_unless_forced(tmp_path: Path) -> None:
    save(tmp_path / "stack.mrc", series(4), plugins=PLUGINS)
    (tmp_path / "other.rawtlt").write_text("mine")
    for name, blamed in (("stack.mrc", "stack.mrc"), ("other.mrc", "other.rawtlt")):
        before = {p: p.read_bytes() for p in tmp_path.iterdir()}
        with pytest.raises(TomoinrError, match=f"{blamed}: already exists.*--force"):
            save(tmp_path / name, series(5), plugins=PLUGINS)
        assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before
    save(tmp_path / "stack.mrc", series(5), force=True, plugins=PLUGINS)
    assert len(load(tmp_path / "stack.mrc", plugins=PLUGINS).angles) == 5
    assert names(tmp_path) == ["other.rawtlt", "stack.mrc", "stack.rawtlt"]


def test_the_source_is_never_replaced_even_by_another_name(tmp_path: Path) -> None:
    path = save(tmp_path / "stack.mrc", series(), plugins=PLUGINS)
    loaded = load(path, plugins=PLUGINS)
    os.link(path, tmp_path / "linked.mrc")
    (tmp_path / "soft.mrc").symlink_to(path)
    (tmp_path / "out").mkdir()
    os.link(path, tmp_path / "out" / "volume.mrc")
    before = path.read_bytes()
    for name in ("stack.mrc", "linked.mrc", "soft.mrc"):
        with pytest.raises(TomoinrError, match="own file"):
            save(tmp_path / name, loaded, force=True, plugins=PLUGINS)
    with pytest.raises(TomoinrError, match="own file"):
        save_reconstruction(tmp_path / "out", result(data=loaded), force=True, plugins=PLUGINS)
    assert path.read_bytes() == before


def full_disk(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("where", ["fsync", "write"])
@pytest.mark.parametrize("force", [True, False])
def test_a_full_disk_leaves_the_old_files_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, force: bool
) -> None:
    if force:
        save(tmp_path / "stack.mrc", series(4), plugins=PLUGINS)
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}
    if where == "fsync":
        monkeypatch.setattr(os, "fsync", full_disk)
    else:
        monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(TomoinrError, match="cannot be written: No space left"):
        save(tmp_path / "stack.mrc", series(5), force=force, plugins=PLUGINS)
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_what_appears_in_between_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with pytest.raises(TomoinrError, match="already exists"), atomic(path) as temporary:
        temporary.write_text("mine")
        path.write_text("theirs")
    assert path.read_text() == "theirs"
    assert names(tmp_path) == ["a.txt"]


def test_without_hard_links_a_rename_publishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", no_links)
    with atomic(tmp_path / "a.txt") as temporary:
        assert temporary.suffix == ".txt"
        assert temporary.parent == tmp_path
        temporary.write_text("mine")
    assert (tmp_path / "a.txt").read_text() == "mine"
    assert names(tmp_path) == ["a.txt"]


def test_an_interrupted_writer_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), atomic(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert not names(tmp_path)


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(TomoinrError, match="no such folder"):
        save(tmp_path / "none" / "stack.mrc", series(), plugins=PLUGINS)


def test_a_result_is_a_few_files(tmp_path: Path) -> None:
    folder = save_reconstruction(tmp_path / "new" / "out", result(), plugins=PLUGINS)
    assert names(folder) == sorted(RESULTS)
    recipe = tomllib.loads((folder / "recipe.toml").read_text())
    assert recipe == {**result().recipe, "output": {"folder": ".", "order": "imod"}}
    table = np.genfromtxt(folder / "history.csv", delimiter=",", names=True)
    assert table.dtype.names[:3] == ("step", "loss", "seconds")
    assert table["loss"].tolist() == [0.5, 0.25]


@pytest.mark.parametrize(
    ("stack", "written"),
    [
        ("data/s.mrc", "../../data/s.mrc"),
        ("runs/one/s.mrc", "s.mrc"),
        ("/nothing-in-common/s.mrc", "/nothing-in-common/s.mrc"),
    ],
)
def test_paths_count_from_the_folder_they_are_saved_in(
    tmp_path: Path, stack: str, written: str
) -> None:
    recipe = {"data": {"stack": str(tmp_path / stack)}}
    made = replace(result(), recipe=recipe, notes=("made\nby hand",))
    folder = save_reconstruction(tmp_path / "runs" / "one", made, "xyz", plugins=PLUGINS)
    text = (folder / "recipe.toml").read_text()
    assert text.startswith("# made by hand\n")
    assert tomllib.loads(text) == {
        "data": {"stack": written}, "output": {"folder": ".", "order": "xyz"}
    }  # fmt: skip


@pytest.mark.parametrize("name", RESULTS)
def test_one_file_in_the_way_stops_all(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(TomoinrError, match=f"{name}: already exists"):
        save_reconstruction(tmp_path, result(), plugins=PLUGINS)
    assert names(tmp_path) == [name]
    save_reconstruction(tmp_path, result(), force=True, plugins=PLUGINS)
    assert names(tmp_path) == sorted(RESULTS)


def read_only(*_: object, **__: object) -> None:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def test_a_folder_that_takes_nothing_is_found_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_folder(tmp_path / "new" / "out", RESULTS, force=False)
    check_file(tmp_path / "new.mrc", False, plugins=PLUGINS)
    assert not names(tmp_path)
    monkeypatch.setattr("tomoinr.io.outputs.TemporaryFile", read_only)
    for asked, check in (
        (tmp_path / "new" / "out", lambda path: check_folder(path, (), force=True)),
        (tmp_path / "new.mrc", lambda path: check_file(path, True, plugins=PLUGINS)),
    ):
        says = f"^{asked}: cannot be written: nothing can be made in {tmp_path} .Read-only file"
        with pytest.raises(TomoinrError, match=says):
            check(asked)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a folder that refuses even root")
def test_a_folder_is_tried_and_not_only_asked() -> None:
    with pytest.raises(TomoinrError, match=r"^/proc/x: cannot be written: nothing can be made in"):
        check_folder(Path("/proc/x"), (), force=False)


def test_a_suffix_is_known_if_a_writer_takes_it(tmp_path: Path) -> None:
    asked: list[tuple[int, ...]] = []

    @hookimpl
    def tomoinr_write(path: Path, value: TiltSeries) -> bool | None:
        asked.append(value.shape)
        return 1 / 0 if path.suffix == ".big" else None  # type: ignore[return-value]

    module = types.ModuleType("stranger")
    module.tomoinr_write = tomoinr_write  # type: ignore[attr-defined]
    host = Plugins(mrc, module, installed=False)
    check_file(tmp_path / "new.big", False, plugins=host)  # perhaps it likes larger images
    assert asked == [(2, 2, 2)] and not names(tmp_path)
    for act in (
        lambda path: check_file(path, False, plugins=host),
        lambda path: save(path, series(), plugins=host),
    ):
        with pytest.raises(TomoinrError, match=r"suffix '\.xyz'; there are \.mrc, .*, \.mrcs$"):
            act(tmp_path / "new.xyz")


def test_a_run_that_cannot_be_saved_leaves_no_new_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old").mkdir()
    monkeypatch.setattr(os, "fsync", full_disk)
    for folder in ("new/out", "old"):
        with pytest.raises(TomoinrError, match="No space left"):
            save_reconstruction(tmp_path / folder, result(), plugins=PLUGINS)
    assert names(tmp_path) == ["old"] and not names(tmp_path / "old")


def test_what_is_asked_for_is_named_where_nothing_can_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "unlink", read_only)  # Linux refuses even what is not there
    with (
        pytest.raises(TomoinrError, match=r"a\.txt: cannot be written"),
        atomic(tmp_path / "a.txt"),
    ):
        read_only()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(TomoinrError, match="name a folder"):
        save_reconstruction(tmp_path / "out", result(), plugins=PLUGINS)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_poses_come_back(tmp_path: Path, dtype: torch.dtype) -> None:
    data = series(9, pixel_size=3.4).select(range(1, 9))
    generator = torch.Generator().manual_seed(5)
    turned = torch.randn(3, 8, generator=generator, dtype=dtype) * 5
    shift = torch.randn(8, 2, generator=generator, dtype=dtype) * 10
    tilt = data.angles.to(dtype) + turned[0]
    poses = Poses.of(tilt, turned[1], turned[2], shift)
    save_reconstruction(tmp_path / "out", result(poses, data), plugins=PLUGINS)
    again = read_poses(tmp_path / "out" / "poses.json")
    assert torch.allclose(again.rotation, poses.rotation.double(), rtol=0, atol=1e-6)
    assert torch.allclose(again.shift, poses.shift.double(), rtol=0, atol=1e-6)
    content = json.loads((tmp_path / "out" / "poses.json").read_text())
    assert [tilt["section"] for tilt in content["tilts"]] == list(range(1, 9))
    assert content["tilts"][3]["dx"] == pytest.approx(float(shift[3, 0]) / 3.4, abs=1e-6)
    assert content["tilts"][3]["angle"] == float(data.angles[3])
    assert content["tilts"][3]["tilt"] == pytest.approx(float(tilt[3]), abs=1e-4)


def test_the_written_convention_is_the_one_in_use() -> None:
    """Follow the sentence of poses.json by hand and land where `place` puts the point."""
    tilt, rotation, out, dx, dy = 20.0, -7.0, 4.0, 3.0, -2.0
    x, y, z = 5.0, -6.0, 7.0
    one = torch.ones(1, dtype=torch.float64)
    poses = Poses.of(tilt * one, rotation, out, torch.tensor([[dx, dy]], dtype=torch.float64))
    views = place(poses, (1, 11, 11), 1.0)
    point = torch.tensor([x, y, z], dtype=torch.float64)
    seen = [float((point - views.centre[0]) @ axis[0]) for axis in (views.u, views.v)]
    t, r, o = np.deg2rad((tilt, rotation, out))
    x, z = x * np.cos(t) - z * np.sin(t), x * np.sin(t) + z * np.cos(t)
    y, z = y * np.cos(o) - z * np.sin(o), y * np.sin(o) + z * np.cos(o)
    x, y = x * np.cos(r) - y * np.sin(r), x * np.sin(r) + y * np.cos(r)
    assert seen == pytest.approx([x + dx, y + dy])
    assert "Rz(rotation) Rx(out_of_plane) Ry(tilt)" in CONVENTION


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"pixel_size": 1, "tilts": [{"tilt": 1}]}', '{"tilts": 3}']
)
def test_bad_poses_are_refused_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "poses.json").write_text(text)
    with pytest.raises(TomoinrError, match=r"poses\.json: no poses") as caught:
        read_poses(tmp_path / "poses.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("lost", ["an image", "a sign", "the pixel size"])
def test_what_is_read_again_must_be_what_was_written(tmp_path: Path, lost: str) -> None:
    forgetful = types.ModuleType("forgetful")

    @hookimpl
    def tomoinr_write(path: Path, value: TiltSeries, order: str) -> object:
        spoilt = {
            "an image": value.select(range(3)),
            "a sign": value.scaled(-1),
            "the pixel size": replace(value, pixel_size=1.0),
        }
        return mrc.tomoinr_write(path=path, value=spoilt[lost], order=order)

    forgetful.tomoinr_write = tomoinr_write  # type: ignore[attr-defined]
    forgetful.tomoinr_read = mrc.tomoinr_read  # type: ignore[attr-defined]
    with pytest.raises(TomoinrError, match="read again, it holds") as caught:
        save(tmp_path / "a.mrc", series(), plugins=Plugins(forgetful, installed=False))
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())
