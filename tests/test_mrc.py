"""MRC files: what is read, what is refused, and that nothing is mirrored on the way out."""

import random
import struct
import tracemalloc
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import torch

from tomoinr.builtin import mrc
from tomoinr.data import Reconstruction, TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Grid, Poses
from tomoinr.io import load, open_stack, save
from tomoinr.plugins import Plugins
from tomoinr.stack import in_order

PLUGINS = Plugins(mrc, installed=False)
ANGLES = (-40.0, 0.0, 40.0)
SHAPE = (3, 5, 4)


def images() -> np.ndarray:
    return np.arange(60, dtype=np.float32).reshape(SHAPE)


def stack(path: Path, array: np.ndarray | None = None, pixel_size: float = 2.5) -> Path:
    """An image stack written by mrcfile alone."""
    with mrcfile.new(path, overwrite=True) as file:
        file.set_data(images() if array is None else array)
        file.set_image_stack()
        file.voxel_size = pixel_size
    return path


def read(path: Path) -> TiltSeries:
    return load(path, ANGLES, PLUGINS)


def patch(path: Path, at: int, code: str, *values: float) -> Path:
    """Overwrite numbers of a little-endian header."""
    raw = bytearray(path.read_bytes())
    struct.pack_into("<" + code, raw, at, *values)
    path.write_bytes(raw)
    return path


def reconstruction(voxels: np.ndarray, spacing: float = 1.34) -> Reconstruction:
    series = TiltSeries(torch.ones(2, 3, 3), torch.tensor([0.0, 1.0]))
    poses = Poses.of(series.angles)
    return Reconstruction(voxels, Grid(voxels.shape[-3:], spacing), poses, (), series)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", ["i1", "i2", "f4", "u2", "f2"])
def test_every_mode_in_both_byte_orders(tmp_path: Path, kind: str, order: str) -> None:
    array = images().astype(order + kind)
    series = read(stack(tmp_path / "stack.mrc", array))
    assert series.images.dtype == torch.float32
    assert np.array_equal(series.images[0].numpy(), images())
    assert series.pixel_size == 2.5


def test_signs_and_large_values_survive(tmp_path: Path) -> None:
    signed = np.full(SHAPE, -7, np.int8)
    assert float(read(stack(tmp_path / "a.mrc", signed)).images.max()) == -7
    large = np.full(SHAPE, 65000, np.uint16)
    assert float(read(stack(tmp_path / "b.mrc", large)).images.min()) == 65000


@pytest.mark.parametrize(("flags", "value"), [(0, 249.0), (1, -7.0)])
def test_imods_unsigned_bytes(tmp_path: Path, flags: int, value: float) -> None:
    path = stack(tmp_path / "stack.mrc", np.full(SHAPE, -7, np.int8))
    series = read(patch(path, 152, "2i", 1146047817, flags))
    assert float(series.images[0, 0, 0, 0]) == value


def test_an_extended_header_is_stepped_over(tmp_path: Path) -> None:
    path = stack(tmp_path / "stack.st")
    with mrcfile.open(path, "r+") as file:
        file.set_extended_header(np.full(96, 255, np.uint8).view("V96"))
    assert np.array_equal(read(path).images[0].numpy(), images())


def test_an_old_header_without_the_mark_is_known_by_its_size(tmp_path: Path) -> None:
    path = patch(stack(tmp_path / "stack.dat"), 208, "2i", 0, 0)
    assert read(path).shape == SHAPE


def test_other_content_is_left_to_other_readers(tmp_path: Path) -> None:
    path = tmp_path / "stack.dat"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(range(256)) * 8)
    assert mrc.tomoinr_read(path=path, pixel_size=None) is None


@pytest.mark.parametrize("cell", [(0.0, 0.0, 0.0), (1.0, 1.0, 1.0)])
def test_an_unknown_pixel_size_is_one(tmp_path: Path, cell: tuple[float, ...]) -> None:
    path = patch(stack(tmp_path / "stack.mrc"), 40, "3f", *cell)
    assert read(path).pixel_size == 1.0
    assert open_stack(path, PLUGINS).pixel_size is None


@pytest.mark.parametrize("suffix", [".rawtlt", ".tlt"])
def test_angles_are_found_beside_the_stack(tmp_path: Path, suffix: str) -> None:
    path = stack(tmp_path / "stack.mrc")
    (tmp_path / "stack.tlt").write_text("9\n9\n9\n")
    path.with_suffix(suffix).write_text("-40\n0\n40\n")
    assert tuple(load(path, plugins=PLUGINS).angles.tolist()) == ANGLES
    assert load(path, (1, 2, 3), PLUGINS).angles.tolist() == [1, 2, 3]


def test_without_angles_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TomoinrError, match=r"--angles.*stack\.rawtlt or stack\.tlt"):
        load(stack(tmp_path / "stack.mrc"), plugins=PLUGINS)


BAD = {  # name → (what to overwrite: offset, format, values; what the error says)
    "mode": ((12, "i", 4), "mode 4"),
    "packed mode": ((12, "i", 101), "mode 101"),
    "huge nx": ((0, "i", 2**31 - 1), "no usable MRC header"),
    "large nx": ((0, "i", 2**20), "cut short"),
    "larger nx": ((0, "i", 5), "cut short or damaged"),
    "nx = 0": ((0, "i", 0), "0 × 5 × 3"),
    "negative nx": ((0, "i", -4), "no usable MRC header"),
    "nsymbt": ((92, "i", 2**31 - 1), "cut short"),
    "negative nsymbt": ((92, "i", -4), "cut short"),
    "axes": ((64, "3i", 2, 1, 3), "axes"),
    "negative cell": ((40, "3f", -1.0, -1.0, -1.0), "above zero"),
    "half a cell": ((40, "3f", 8.0, 0.0, 0.0), "above zero"),
    "cell of NaN": ((40, "3f", float("nan"), 1.0, 1.0), "above zero"),
    "endless cell": ((40, "3f", float("inf"), 1.0, 1.0), "above zero"),
    "oblong pixels": ((40, "2f", 4.0, 10.0), "square"),
    "NaN in an image": ((1024 + 4 * 25, "f", float("nan")), "image 1 holds NaN"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_numbers_are_refused_in_one_line(tmp_path: Path, name: str) -> None:
    (at, code, *values), says = BAD[name]
    path = patch(stack(tmp_path / "stack.mrc"), at, code, *values)
    with pytest.raises(TomoinrError, match=says) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_any_truncation_is_refused(tmp_path: Path) -> None:
    whole = stack(tmp_path / "stack.mrc").read_bytes()
    for length in (1, 3, 16, 207, 211, 224, 1023, 1024, 1025, 1200, len(whole) - 1):
        (tmp_path / "cut.mrc").write_bytes(whole[:length])
        with pytest.raises(TomoinrError, match=r"cut short|no usable") as caught:
            read(tmp_path / "cut.mrc")
        assert "\n" not in str(caught.value)


def test_a_negative_extended_header_is_refused_though_the_size_fits(tmp_path: Path) -> None:
    path = patch(stack(tmp_path / "stack.mrc"), 92, "i", -4)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(TomoinrError, match="damaged"):
        read(path)


def test_a_single_image_and_a_wrong_count_are_refused(tmp_path: Path) -> None:
    path = stack(tmp_path / "stack.mrc")
    with pytest.raises(TomoinrError, match="3 images but 2 angles"):
        load(path, (0, 1), PLUGINS)
    with pytest.raises(TomoinrError, match="at least two images"):
        load(stack(tmp_path / "one.mrc", images()[:1]), (0,), PLUGINS)


def test_flipped_bits_are_harmless_or_refused_within_little_memory(tmp_path: Path) -> None:
    whole = stack(tmp_path / "stack.mrc").read_bytes()
    chance, refused = random.Random(7), 0
    tracemalloc.start()
    for _ in range(200):
        raw = bytearray(whole)
        for _ in range(chance.choice((1, 1, 8))):
            raw[chance.choice((chance.randrange(224), chance.randrange(100)))] ^= (
                1 << chance.randrange(8)
            )
        (tmp_path / "flipped.mrc").write_bytes(raw)
        try:
            series = read(tmp_path / "flipped.mrc")
        except (ValueError, OSError) as error:
            assert "\n" not in str(error)
            refused += 1
        else:
            assert series.images.numel() <= 60  # a file may be longer than its header says
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused > 50
    assert peak < 4e6


@pytest.mark.parametrize("suffix", mrc.WRITTEN)
def test_a_stack_comes_back_as_it_went(tmp_path: Path, suffix: str) -> None:
    series = TiltSeries(torch.randn(SHAPE), torch.tensor([-0.1, 0.2, 1 / 3]), pixel_size=1.34)
    path = save(tmp_path / f"stack{suffix}", series, plugins=PLUGINS)
    again = load(path, plugins=PLUGINS)
    assert torch.equal(again.images, series.images)
    assert torch.equal(again.angles, series.angles)
    assert again.pixel_size == 1.34


def test_orders_are_quarter_turns_that_keep_rows_upright(tmp_path: Path) -> None:
    """out[k, j, i] = voxels[j, nz-1-k, i]: two axes change places and one is reversed.

    Exchanging two axes has determinant -1, reversing one has -1: together +1, a rotation.
    """
    ny, nz, nx = 2, 3, 4
    voxels = np.random.default_rng(0).random((ny, nz, nx), np.float32)
    result = reconstruction(voxels)
    for order in ("imod", "xyz"):
        save(tmp_path / f"{order}.mrc", result, order=order, plugins=PLUGINS)
    assert np.array_equal(mrcfile.read(tmp_path / "imod.mrc"), voxels)
    written = mrcfile.read(tmp_path / "xyz.mrc")
    assert written.shape == (nz, ny, nx)
    for k, j, i in np.ndindex(written.shape):
        assert written[k, j, i] == voxels[j, nz - 1 - k, i]
    # Seen along the beam, both show the image at zero tilt, row by row.
    assert np.allclose(written.sum(0), voxels.sum(1))
    with mrcfile.open(tmp_path / "xyz.mrc") as file:
        assert "xyz" in file.get_labels()[1]
        assert file.voxel_size.z == pytest.approx(1.34)


def test_a_turn_keeps_a_screw_right_handed(tmp_path: Path) -> None:
    """The triple product of three arms, from file indices alone, keeps its sign."""
    voxels = np.zeros((9, 9, 9), np.float32)
    for value, (y, z, x) in enumerate([(4, 4, 4), (4, 4, 8), (7, 4, 4), (4, 6, 4)], 1):
        voxels[y, z, x] = value

    def triple(array: np.ndarray) -> float:
        corner, *arms = (np.argwhere(array == value)[0] for value in range(1, 5))
        return float(np.linalg.det([arm - corner for arm in arms]))

    turned, _ = in_order(voxels, "xyz")
    assert triple(turned) == pytest.approx(triple(voxels))
    assert triple(voxels.transpose(1, 0, 2)) == pytest.approx(-triple(voxels))


def test_what_cannot_be_written_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    channels = reconstruction(np.zeros((2, 3, 3, 3), np.float32))
    for name, order, says in (
        ("a.mrc", "imod", "one channel, not 2"),
        ("a.mrc", "zxy", "no order"),
        ("a.tif", "imod", "suffix"),
    ):
        value = reconstruction(images()) if "order" in says else channels
        with pytest.raises(TomoinrError, match=says):
            save(tmp_path / name, value, order=order, plugins=PLUGINS)
    assert not list(tmp_path.iterdir())
    save(tmp_path / "b.mrc", reconstruction(images()[None]), plugins=PLUGINS)
