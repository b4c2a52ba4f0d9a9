"""Tilt angles in text files, columns and .mdoc files, and what an .mdoc tells beside them."""

import random
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tomoinr.builtin import mrc
from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.io import load, save
from tomoinr.io.angles import angles_beside, read_angles
from tomoinr.io.mdoc import completed, read_mdoc
from tomoinr.plugins import Plugins
from tomoinr.stack import Stack

ANGLES = (0.01, -3.5, 3.25)
SERIALEM = """PixelSpacing = 1.724
Voltage = 200
ImageFile = tomo.mrc

[T = SerialEM: Acquired on Talos          30-May-21  22:34:28    ]

[T =     Tilt axis angle = -88.7, binning = 1  spot = 6  camera = 1 bidir = 0.0]

"""
TOMO5 = "PixelSpacing = 2.4\n\n[T = Tomography 5: TiltAxisAngle = -175.60, Defocus = -3.0]\n\n"
TABLE = "# n, angle\n1, -60.5 , a\n2,0.0,b\n\n3,60.5,c  # the last\n"


def image(number: int, angle: float, rotation: float = 1.3) -> str:
    return (
        f"[ZValue = {number}]\nTiltAngle = {angle}\nStagePosition = 1 2\n"
        f"RotationAngle = {rotation}\nSubFramePath = D:\\a = b.tif\n\n"
    )


def mdoc(folder: Path, text: str, name: str = "stack.mrc.mdoc") -> Path:
    path = folder / name
    path.write_bytes(text.replace("\n", "\r\n").encode("latin-1"))
    return path


def stack(**said: float) -> Stack:
    return Stack.of_array("stack.mrc", np.ones((3, 2, 2)), **said)


@pytest.mark.parametrize(("column", "angles"), [(1, (1, 2, 3)), (2, (-60.5, 0, 60.5))])
def test_a_column_of_a_table(tmp_path: Path, column: int, angles: tuple[float, ...]) -> None:
    (tmp_path / "table.csv").write_text(TABLE, encoding="utf-8-sig")
    assert read_angles(f"{tmp_path}/table.csv:{column}") == angles
    (tmp_path / "table.txt").write_text(TABLE.replace(",", " "))
    assert read_angles(f"{tmp_path}/table.txt:{column}") == angles


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("table.csv:3", r"line 2: '1, -60.5 , a' has no angle in column 3"),
        ("table.csv:4", r"line 2: .* has no angle in column 4"),
        ("table.csv", r"line 2: .* is not one angle in degrees; name a column"),
        ("table.csv:0", "no such file of angles"),
        ("table.csv:-1", "no such file of angles"),
        (f"table.csv:{'9' * 6000}", "no such file of angles"),
        ("none.csv:2", r"none\.csv:2: there is no such file of angles"),
    ],
)
def test_bad_columns_are_named(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "table.csv").write_text(TABLE)
    with pytest.raises(TomoinrError, match=says) as caught:
        read_angles(f"{tmp_path}/{name}")
    assert "\n" not in str(caught.value)


def test_a_name_that_is_there_is_a_file_whatever_it_looks_like(tmp_path: Path) -> None:
    for name in ("0:2:1", "a.txt:2"):
        (tmp_path / name).write_text("7\n8\n")
        assert read_angles(f"{tmp_path}/{name}") == (7, 8)


@given(angles=st.lists(st.floats(-180, 180), min_size=1, max_size=80), data=st.data())
def test_any_list_of_angles_comes_back(
    tmp_path_factory: pytest.TempPathFactory, angles: list[float], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("any")
    rows = [(n, repr(angle), "x") for n, angle in enumerate(angles)]
    for name, between in (("a.txt", "\t"), ("a.csv", ", ")):
        (folder / name).write_text(
            "# header\n" + "\n".join(between.join(map(str, r)) for r in rows)
        )
        assert read_angles(f"{folder}/{name}:2") == tuple(angles)
    shuffled = data.draw(st.permutations(list(enumerate(angles))))
    text = SERIALEM + "".join(image(number, angle) for number, angle in shuffled)
    assert read_angles(mdoc(folder, text)) == tuple(angles)


@given(first=st.integers(-90, 90), step=st.integers(1, 30), count=st.integers(1, 60))
def test_ranges_have_both_ends(first: int, step: int, count: int) -> None:
    last = first + (count - 1) * step
    assert read_angles(f"{first}:{last}:{step}") == tuple(range(first, last + 1, step))
    assert read_angles(f"{last / 10}:{first / 10}:{-step / 10}") == pytest.approx(
        [(last - i * step) / 10 for i in range(count)]
    )


def test_what_an_mdoc_of_serialem_says(tmp_path: Path) -> None:
    """The images are keyed by ZValue, in whatever order they were taken."""
    found = read_mdoc(mdoc(tmp_path, SERIALEM + image(1, -3.5) + image(0, 0.01) + image(2, 3.25)))
    assert found.angles == ANGLES
    assert (found.pixel_size, found.tilt_axis) == (1.724, -88.7)


def test_what_an_mdoc_of_tomography_5_says(tmp_path: Path) -> None:
    """The axis is the images' RotationAngle there, not what the title calls TiltAxisAngle."""
    images = "".join(image(n, angle, 85.6) for n, angle in enumerate(ANGLES))
    found = read_mdoc(mdoc(tmp_path, TOMO5 + images))
    assert (found.pixel_size, found.tilt_axis) == (2.4, 85.6)
    untitled = read_mdoc(mdoc(tmp_path, images))
    assert (untitled.pixel_size, untitled.tilt_axis) == (None, None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (image(0, 1) + image(2, 3), "section 1 of 2 has no TiltAngle"),
        (image(0, 1) + "[ZValue = 1]\nTiltAngle = none\n", "section 1 of 2"),
        (image(0, 1) + image(0, 2), r"\[ZValue = 0\] is there twice"),
        ("[ZValue = -1]\nTiltAngle = 1\n", "no number of an image"),
        ("[FrameSet = 0]\nTiltAngle = 1\n", "holds no TiltAngle"),
        ("", "holds no TiltAngle"),
        ("\n" * 100_001, "too large"),
        (" " * (5 << 20), "too large"),
    ],
)
def test_bad_mdocs_are_refused_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = mdoc(tmp_path, text)
    with pytest.raises(TomoinrError, match=says) as caught:
        read_angles(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["stack.mrc", "stack.mrc.gz"])
def test_where_angles_are_looked_for(tmp_path: Path, name: str) -> None:
    """Lists before an .mdoc, the raw ones first; an .mdoc without angles is passed over."""
    path = tmp_path / name
    mdoc(tmp_path, SERIALEM, "stack.mrc.mdoc")
    assert angles_beside(path) is None
    for beside in ("stack.mdoc", "stack.tlt", "stack.rawtlt"):
        mdoc(tmp_path, image(0, 1), beside)
        found = angles_beside(path)
        assert found is not None
        assert found.name == beside
    assert angles_beside(tmp_path / "other.mrc") is None


def test_a_stack_is_loaded_with_the_angles_of_its_mdoc(tmp_path: Path) -> None:
    plugins = Plugins(mrc, installed=False)
    images = torch.arange(12.0).reshape(3, 2, 2)
    path = save(tmp_path / "stack.mrc", TiltSeries(images, torch.arange(3.0)), plugins=plugins)
    path.with_suffix(".rawtlt").unlink()
    text = SERIALEM + "".join(map(image, range(3), ANGLES))
    mdoc(tmp_path, text)
    found = load(path, plugins=plugins)
    assert tuple(found.angles.tolist()) == ANGLES
    assert "angles from stack.mrc.mdoc" in found.notes
    mdoc(tmp_path, text + image(3, 6.0))
    with pytest.raises(TomoinrError, match=r"3 images but 4 angles \(from stack\.mrc\.mdoc\)"):
        load(path, plugins=plugins)
    assert load(path, f"{mdoc(tmp_path, text, 'other.mdoc')}", plugins).angles[0] == 0.01


def test_an_mdoc_fills_in_only_what_a_stack_does_not_say(tmp_path: Path) -> None:
    path = mdoc(tmp_path, SERIALEM).with_suffix("")
    found = completed(stack(), path)
    assert (found.pixel_size, found.tilt_axis) == (1.724, -88.7)
    assert found.notes == (
        "pixel size of 1.724 Å from stack.mrc.mdoc",
        "tilt axis from stack.mrc.mdoc",
    )
    said = stack(pixel_size=9.0, tilt_axis=1.0)
    assert completed(said, path) is said
    assert completed(stack(tilt_axis=1.0), path).tilt_axis == 1.0
    assert completed(stack(), tmp_path / "other.mrc").notes == ()
    mdoc(tmp_path, SERIALEM, "stack.ali.mdoc")
    aligned = completed(stack(), tmp_path / "stack.ali")
    assert (aligned.pixel_size, aligned.tilt_axis) == (1.724, None)


def test_a_broken_mdoc_beside_a_stack_is_noted(tmp_path: Path) -> None:
    path = mdoc(tmp_path, image(0, 1) + image(0, 2)).with_suffix("")
    assert "not used: " in completed(stack(), path).notes[0]


def test_spoilt_texts_give_one_line_or_angles(tmp_path: Path) -> None:
    chance = random.Random(0)
    sound = (SERIALEM + "".join(map(image, range(3), ANGLES))).encode()
    path, refused = tmp_path / "a.mdoc", 0
    tracemalloc.start()
    try:
        for _ in range(300):
            raw = bytearray(chance.choice((sound, TABLE.encode())))
            path = tmp_path / ("a.mdoc" if b"[Z" in raw else "a.txt")
            for _ in range(chance.randrange(1, 9)):
                raw[chance.randrange(len(raw))] = chance.randrange(256)
            path.write_bytes(raw[: chance.choice((len(raw), chance.randrange(len(raw))))])
            try:
                assert all(map(np.isfinite, read_angles(f"{path}:2" if b"#" in raw else path)))
            except TomoinrError as error:
                refused += 1
                assert "\n" not in str(error)
        assert tracemalloc.get_traced_memory()[1] < 4e6
    finally:
        tracemalloc.stop()
    assert 30 < refused < 270
