"""MRC files made byte by byte here: odd headers, extended headers, packed files, broken files."""

import bz2
import gzip
import random
import struct
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mrcfile.dtypes import get_ext_header_dtype

from tomoinr.builtin import mrc, mrc_packed
from tomoinr.errors import TomoinrError
from tomoinr.io import load, open_stack
from tomoinr.plugins import Plugins
from tomoinr.stack import Stack

PLUGINS = Plugins(mrc, installed=False)
SHAPE = (3, 4, 5)
ANGLES = (-12.34, 0.5, 60.0)
MODES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
PACKERS = {".gz": gzip.compress, ".bz2": bz2.compress}
Place = dict[int, tuple[str, tuple[float, ...]]]  # offset → code and values


def made(
    array: np.ndarray, mode: int = 2, order: str = "<", pixel: float = 2.5, titles: tuple = ()
) -> bytearray:
    """A header and its images, written from the standard's table with nothing but `struct`."""
    nz, ny, nx = array.shape
    raw = bytearray(1024)
    cell = (nx * pixel, ny * pixel, nz * pixel, 90, 90, 90)
    struct.pack_into(
        f"{order}10i6f3i", raw, 0, nx, ny, nz, mode, 0, 0, 0, nx, ny, nz, *cell, 1, 2, 3
    )
    raw[208:216] = b"MAP " + (b"DD\0\0" if order == "<" else b"\x11\x11\0\0")
    struct.pack_into(f"{order}i", raw, 220, len(titles))
    for i, title in enumerate(titles):
        raw[224 + 80 * i : 304 + 80 * i] = title.encode().ljust(80)
    return raw + array.astype(order + MODES[mode]).tobytes()


def images() -> np.ndarray:
    return np.arange(60).reshape(SHAPE)


def changed(raw: bytearray, at: int, code: str, *values: float) -> bytearray:
    struct.pack_into(code, raw, at, *values)
    return raw


def extended(raw: bytearray, block: bytes, kind: bytes = b"", *per_section: int) -> bytearray:
    """The same file with a block between header and images."""
    changed(raw, 92, "<i", len(block))
    raw[104 : 104 + len(kind)] = kind
    struct.pack_into("<2h", raw, 128, *(per_section or (0, 0)))
    return raw[:1024] + block + raw[1024:]


def opened(folder: Path, raw: bytes, name: str = "stack.mrc") -> Stack:
    path = folder / name
    path.write_bytes(raw)
    return open_stack(path, PLUGINS)


@contextmanager
def memory_below(most: float) -> Iterator[None]:
    """Bytes that Python holds at any moment inside."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def notes(stack: Stack) -> str:
    return "; ".join(stack.notes)


@given(
    shape=st.tuples(st.integers(2, 4), st.integers(1, 7), st.integers(1, 7)),
    mode=st.sampled_from(sorted(MODES)),
    order=st.sampled_from("<>"),
    pixel=st.floats(0.05, 5000).map(lambda x: float(f"{x:.5g}")),
    suffix=st.sampled_from(["", ".gz", ".bz2"]),
    block=st.binary(max_size=200),
)
def test_every_sound_file_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, int, int],
    mode: int,
    order: str,
    pixel: float,
    suffix: str,
    block: bytes,
) -> None:
    array = np.arange(np.prod(shape)).reshape(shape) % 100
    raw = made(array, mode, order, pixel)
    struct.pack_into(f"{order}i", raw, 92, len(block))
    raw = raw[:1024] + block + raw[1024:]
    path = tmp_path_factory.mktemp("any") / f"stack.st{suffix}"
    path.write_bytes(PACKERS.get(suffix, bytes)(bytes(raw)))
    series = load(path, range(shape[0]), PLUGINS)
    assert np.array_equal(series.images[0].numpy(), array)
    assert series.pixel_size == pytest.approx(1.0 if pixel == 1 else pixel, rel=1e-5)
    last = open_stack(path, PLUGINS).image(shape[0] - 1)
    assert np.array_equal(last, array[-1])


ODD: dict[str, tuple[Callable[[bytearray], bytes], str]] = {
    "no mark": (lambda raw: changed(raw, 208, "8x"), "lacks the mark MAP"),
    "no stamp": (lambda raw: changed(raw, 212, "4x"), "stamp is wrong: the numbers are little"),
    "wrong stamp": (lambda raw: changed(raw, 212, "2B", 17, 17), "the numbers are little-endian"),
    "extra bytes": (lambda raw: raw + b"more!", "5 bytes after the images are not read"),
    "a volume": (lambda raw: changed(raw, 88, "<i", 1), "volume (space group 1): read as images"),
    "any group": (lambda raw: changed(raw, 88, "<i", -7), "space group -7"),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_is_read_and_told(tmp_path: Path, name: str) -> None:
    spoil, says = ODD[name]
    found = opened(tmp_path, spoil(made(images())))
    assert says in notes(found)
    assert torch.equal(found.read()[0], torch.tensor(images()).float())
    assert not opened(tmp_path, made(images())).notes


def test_a_wrong_stamp_of_a_big_endian_file(tmp_path: Path) -> None:
    raw = changed(made(images(), order=">"), 212, "4s", b"DD\0\0")
    found = opened(tmp_path, raw)
    assert "the numbers are big-endian" in notes(found)
    assert np.array_equal(found.image(2), images()[2])


def test_bytes_beyond_127_are_told_by_the_headers_maximum(tmp_path: Path) -> None:
    array = images() + 190  # as bytes: 190 … 249
    raw = changed(made(array, mode=0), 76, "<2f", 190, 249)
    found = opened(tmp_path, raw)
    assert np.array_equal(found.image(0), array[0])
    assert "0 to 255: the largest is 249" in notes(found)


def test_numbers_of_four_bits_are_refused(tmp_path: Path) -> None:
    raw = changed(made(images(), mode=0), 152, "<2i", 1146047817, 16)
    with pytest.raises(TomoinrError, match="mode 101"):
        opened(tmp_path, raw)


def test_images_are_read_by_their_number_alone(tmp_path: Path) -> None:
    found = opened(tmp_path, made(images()) + b"\0" * 1000)
    assert np.array_equal(found.image(-1), images()[2])
    with pytest.raises(IndexError):
        found.image(3)
    (tmp_path / "stack.mrc").write_bytes(made(images())[:-1])
    with pytest.raises(TomoinrError, match="cut short while it was read"):
        found.image(2)


def serialem(flags: int = 0b111111, angles: tuple[float, ...] = ANGLES) -> tuple[bytes, int]:
    """Blocks of SerialEM's, and their size."""
    codes = ("h", "3h", "2h", "h", "h", "2h", "h", "f", "h", "f", "h")
    code = "<" + "".join(c for bit, c in enumerate(codes) if flags >> bit & 1)
    count = len(struct.unpack(code, bytes(struct.calcsize(code))))
    blocks = [struct.pack(code, round(a * 100), *(7,) * (count - 1)) for a in angles]
    return b"".join(blocks), struct.calcsize(code)


@pytest.mark.parametrize("flags", [1, 3, 0b101001, 0b111111, 0b11111111111])
def test_serialem_keeps_tilts_in_hundredths(tmp_path: Path, flags: int) -> None:
    block, size = serialem(flags)
    found = opened(tmp_path, extended(made(images()), block + bytes(512), b"SERI", size, flags))
    assert found.angles == ANGLES
    assert "its SerialEM header holds tilt angles" in notes(found)
    assert load(tmp_path / "stack.mrc", plugins=PLUGINS).angles.tolist() == list(ANGLES)


def agard(axis: float, pixel: float, integers: int = 0) -> bytes:
    """1024 blocks, as FEI wrote them: integers, then 32 reals."""
    reals = [(a, *(0.0,) * 9, axis, pixel, *(0.0,) * 20) for a in ANGLES]
    blocks = [struct.pack(f"<{integers}i32f", *(5,) * integers, *block) for block in reals]
    return b"".join(blocks).ljust(1024 * (128 + 4 * integers), b"\0")


@pytest.mark.parametrize(
    ("title", "integers", "pixel", "axis"),
    [("Fei Company (C) Copyright 2003", 0, 1.34e-9, 85.0), ("UCSF", 2, 13.4, -85.0)],
)
def test_old_fei_and_agard_headers(
    tmp_path: Path, title: str, integers: int, pixel: float, axis: float
) -> None:
    raw = made(images(), pixel=1.0, titles=(title,))
    found = opened(tmp_path, extended(raw, agard(-85.0, pixel, integers), b"", integers, 32))
    assert found.angles == pytest.approx(ANGLES)
    assert found.pixel_size == pytest.approx(13.4)
    assert found.tilt_axis == axis
    assert "pixel size of 13.4 Å from its" in notes(found)


def fei(kind: bytes, order: str = "<", mask: int = 0b101000010000000, **fields: float) -> bytes:
    """Blocks in mrcfile's own layout of them."""
    dtype = get_ext_header_dtype(kind, order)
    block = np.zeros(len(ANGLES), dtype)
    block["Metadata size"], block["Bitmask 1"] = dtype.itemsize, mask
    block["Alpha tilt"], block["Tilt axis angle"], block["Pixel size X"] = ANGLES, 84.5, 2.1e-10
    for name, value in fields.items():
        block[name.replace("_", " ")] = value
    return block.tobytes()


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [b"FEI1", b"FEI2"])
def test_new_fei_headers(tmp_path: Path, kind: bytes, order: str) -> None:
    raw = made(images(), order=order, pixel=1.0)
    block = fei(kind, order)
    raw = extended(raw, block, kind)
    struct.pack_into(f"{order}i", raw, 92, len(block))
    found = opened(tmp_path, raw)
    assert found.angles == ANGLES
    assert found.pixel_size == pytest.approx(2.1)
    assert found.tilt_axis == -84.5
    assert np.array_equal(found.image(1), images()[1])


def test_only_what_the_mask_calls_valid_is_taken(tmp_path: Path) -> None:
    raw = extended(made(images(), pixel=1.0), fei(b"FEI1", mask=1 << 14), b"FEI1")
    found = opened(tmp_path, raw)
    assert (found.angles, found.tilt_axis) == (None, None)
    assert found.pixel_size == pytest.approx(2.1)


def test_the_one_version_that_wrote_radians(tmp_path: Path) -> None:
    tilts = np.deg2rad(ANGLES)
    block = fei(b"FEI1", Application_version=b"4.4.0.4981", Alpha_tilt=tilts)  # type: ignore[arg-type]
    assert opened(tmp_path, extended(made(images()), block, b"FEI1")).angles == pytest.approx(
        ANGLES
    )


def test_the_cell_is_believed_before_the_extended_header(tmp_path: Path) -> None:
    found = opened(tmp_path, extended(made(images(), pixel=4.2), fei(b"FEI1"), b"FEI1"))
    assert found.pixel_size == 4.2
    assert "the pixel size of 2.1 Å in its FEI1 header is not used" in notes(found)


@pytest.mark.parametrize("angles", [(0.0, 0.0, 0.0), (0.0, 300.0, 5.0)])
def test_angles_of_no_tilt_series_are_not_taken(tmp_path: Path, angles: tuple[float, ...]) -> None:
    block, size = serialem(1, angles)
    found = opened(tmp_path, extended(made(images()), block, b"SERI", size, 1))
    assert found.angles is None
    assert "SerialEM header are not usable" in notes(found)


def test_a_short_extended_header_gives_no_angles(tmp_path: Path) -> None:
    block, size = serialem(0b111111)
    for raw in (
        extended(made(images()), block[:-size], b"SERI", size, 0b111111),
        extended(made(images()), agard(0, 0)[:250], b"", 0, 32),
        extended(made(images()), fei(b"FEI2")[:-900], b"FEI2"),
        extended(made(images()), fei(b"FEI1", Metadata_size=-5), b"FEI1"),
        extended(made(images()), b"", b"FEI1"),
    ):
        with_room = raw + bytes(100)
        assert opened(tmp_path, with_room).angles is None


AXIS = "    Tilt axis angle = 85.9, binning = 1  spot = 8  camera = 0"


@pytest.mark.parametrize(
    ("name", "titles", "axis"),
    [
        ("a.st", ("SerialEM: Acquired on Talos", AXIS), 85.9),
        ("a.st.gz", (AXIS,), 85.9),
        ("a.st", ("Tilt axis rotation angle = -12",), -12.0),
        ("a.st", (AXIS, "NEWSTACK: Images copied              12-Oct-20"), 85.9),
        ("a.st", (AXIS, "NEWSTACK: Images copied, transformed 12-Oct-20"), None),
        ("a.ali", (AXIS,), None),
        ("a.ali", ("tomoinr 1.0", "Tilt axis angle = 3.5"), 3.5),
        ("a.st", ("Tilt axis angle = unknown",), None),
    ],
)
def test_the_tilt_axis_in_a_title(
    tmp_path: Path, name: str, titles: tuple[str, ...], axis: float | None
) -> None:
    raw = bytes(made(images(), titles=titles))
    found = opened(tmp_path, PACKERS.get(Path(name).suffix, bytes)(raw), name)
    assert found.tilt_axis == axis
    known = "Tilt axis angle = 85.9" in notes(found) or axis in (-12.0, 3.5)
    assert known == ("unknown" not in titles[0])
    assert ("is not used: the images were aligned since" in notes(found)) == (
        known and axis is None
    )


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_large_packed_file_goes_through_a_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setattr(mrc_packed, "IN_MEMORY", 1100)
    found = opened(tmp_path, PACKERS[suffix](bytes(made(images()))), f"stack.mrc{suffix}")
    (tmp_path / f"stack.mrc{suffix}").unlink()  # all is unpacked by now
    assert torch.equal(found.read()[0], torch.tensor(images()).float())


def test_packed_files_of_other_kinds_are_left_to_others(tmp_path: Path) -> None:
    other = gzip.compress(b"\x89HDF\r\n\x1a\n" + random.Random(0).randbytes(9000))
    for raw in (other, other[:500], other[:20]):
        (tmp_path / "data.h5.gz").write_bytes(raw)
        assert mrc.tomoinr_read(path=tmp_path / "data.h5.gz", pixel_size=None) is None
    found = opened(tmp_path, gzip.compress(bytes(made(images()))), "no-such-suffix.gz")
    assert found.shape == SHAPE


@pytest.mark.parametrize("suffix", PACKERS)
def test_bombs_are_refused_in_little_memory(tmp_path: Path, suffix: str) -> None:
    pack, small = PACKERS[suffix], bytes(made(images()))
    promises = bytes(changed(made(images()), 0, "<3i", 40_000, 40_000, 41))
    bombs = {
        "more than its header promises": pack(small + bytes(24 << 20)),
        "promises 2624": pack(promises + bytes(24 << 20)),
        "cut short or damaged": pack(bytes(changed(made(images()), 0, "<3i", 2000, 2000, 2))),
        "cannot be unpacked": pack(small)[:-3],
        "it is damaged or no MRC file": pack(bytes(24 << 20)),
    }
    with memory_below(8e6):
        for says, bomb in bombs.items():
            with pytest.raises(TomoinrError, match=says):
                opened(tmp_path, bomb, f"stack.mrc{suffix}")


def corpus() -> list[tuple[str, bytes]]:
    """Sound files of every kind."""
    block, size = serialem()
    plain = bytes(made(images()))
    return [
        ("plain.mrc", plain),
        ("big.st", bytes(made(images(), mode=1, order=">"))),
        ("serialem.st", bytes(extended(made(images()), block, b"SERI", size, 63))),
        ("old.mrc", bytes(extended(made(images(), pixel=1.0), agard(9, 1e-9)[:1024], b"", 0, 32))),
        ("fei.mrc", bytes(extended(made(images(), pixel=1.0), fei(b"FEI1"), b"FEI1"))),
        ("packed.mrc.gz", gzip.compress(plain)),
        ("packed.mrc.bz2", bz2.compress(plain)),
    ]


def spoilt(raw: bytes, chance: random.Random) -> bytes:
    """Cut, lengthened, flipped, or with a number put where it hurts."""
    data, extreme = bytearray(raw), (0, 1, -1, 2**31 - 1, -(2**31), 2**24 - 1, 0x7F800000)
    way = chance.choice(("cut", "longer", "bits", "number", "number", "zeros"))
    if way == "cut":
        return bytes(data[: chance.randrange(len(data))])
    if way == "longer":
        return bytes(data + chance.randbytes(chance.randrange(3000)))
    place = chance.randrange(min(len(data), chance.choice((128, 240, 4096))) - 4)
    if way == "number":
        struct.pack_into("<i", data, place // 4 * 4, chance.choice(extreme))
    elif way == "zeros":
        data[place : place + chance.randrange(64)] = b""
    else:
        for _ in range(chance.choice((1, 8))):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


@pytest.mark.parametrize(("name", "whole"), corpus(), ids=lambda x: x if isinstance(x, str) else "")
def test_spoilt_files_give_one_line_or_a_series(tmp_path: Path, name: str, whole: bytes) -> None:
    chance, refused, path = random.Random(name), 0, tmp_path / name
    with memory_below(8e6):
        for _ in range(150):
            path.write_bytes(spoilt(whole, chance) or b"\0")
            try:
                stack = open_stack(path, PLUGINS)
                series = load(path, stack.angles or range(stack.shape[0]), PLUGINS)
                assert bool(series.images.isfinite().all())
            except TomoinrError as error:
                refused += 1
                assert "\n" not in str(error) and str(path) in str(error)
    assert 30 < refused < 150
