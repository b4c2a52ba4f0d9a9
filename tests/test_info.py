"""`tomoinr info`: what is planted is found, and what is sound is left in peace."""

import json
import tracemalloc

import mrcfile
import numpy as np
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from tomoinr import builtin
from tomoinr.builtin.simulate import Acquisition, simulate
from tomoinr.cli.info import info
from tomoinr.data import Reconstruction, TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Grid, Poses
from tomoinr.io import image_statistics, save
from tomoinr.io.image_statistics import measure
from tomoinr.io.inspect import inspect, order_of
from tomoinr.io.oddities import odd_angles, odd_images
from tomoinr.plugins import Plugins
from tomoinr.stack import Stack

ANGLES = tuple(range(-60, 61, 5))


@pytest.fixture(autouse=True)
def only_builtin(monkeypatch):
    """The program finds the built-in parts alone, whatever is installed."""
    monkeypatch.setattr("tomoinr.io.reading.Plugins", lambda: Plugins(builtin, installed=False))


def odd(images, angles=ANGLES):
    (found,) = measure(Stack.of_array("images", np.asarray(images)))
    return list(odd_images(found, angles))


def sound(dtype=np.float32):
    """Images whose mean rises with the tilt, as those of a slab do, with noise."""
    random = np.random.default_rng(0)
    thickness = 1 / np.cos(np.radians(ANGLES))[:, None, None]
    images = 1000 * thickness + random.normal(0, 40, (len(ANGLES), 24, 30))
    return images.astype(dtype)


def written(path, images, angles=None):
    with mrcfile.new(path) as file:
        file.set_data(images)
        file.set_image_stack()
        file.voxel_size = 2.5
    if angles is not None:
        path.with_suffix(".rawtlt").write_text("".join(f"{a}\n" for a in angles))
    return path


@given(
    st.tuples(*(st.integers(1, 6) for _ in range(3))),
    st.sampled_from(["<f4", ">f4", "u1", "<i2", ">u2", "f2"]),
    st.integers(0, 2**32 - 1),
)
def test_statistics_are_those_of_the_whole_array(shape, dtype, seed):
    array = np.random.default_rng(seed).integers(0, 100, shape).astype(dtype)
    (found,) = measure(Stack.of_array("array", array))
    exact = array.astype(np.float64)
    assert (found.low, found.high, found.not_finite) == (exact.min(), exact.max(), 0)
    assert found.mean == pytest.approx(exact.mean())
    assert found.std == pytest.approx(exact.std())
    assert found.percentiles == pytest.approx({at: np.percentile(exact, at) for at in (1, 50, 99)})


def test_what_is_not_finite_is_counted_and_left_out():
    images = sound()
    images[3, 0, :2], images[7] = np.nan, np.inf
    (found,) = measure(Stack.of_array("images", images))
    kept = images[np.isfinite(images)].astype(np.float64)
    assert found.not_finite == 2 + 24 * 30
    assert (found.low, found.high) == (kept.min(), kept.max())
    assert found.mean == pytest.approx(kept.mean()) and found.std == pytest.approx(kept.std())
    assert odd(images) == ["722 values are NaN or infinite, in images 3, 7"]


def test_nothing_but_nan_is_told_and_stops_nothing():
    (found,) = measure(Stack.of_array("images", np.full((3, 4, 5), np.nan, np.float32)))
    assert np.isnan([found.low, found.high, found.mean, found.std]).all()
    assert list(odd_images(found, None)) == ["60 values are NaN or infinite, in images 0-2"]


def test_percentiles_of_a_sample_are_near(monkeypatch):
    monkeypatch.setattr(image_statistics, "SAMPLE", 25 * 400)
    (found,) = measure(Stack.of_array("images", sound()))
    for at, value in found.percentiles.items():
        low, high = np.percentile(sound(), [max(0, at - 2), min(100, at + 2)])
        assert low <= value <= high


def test_each_image_is_read_once_and_let_go(monkeypatch):
    monkeypatch.setattr(image_statistics, "SAMPLE", 1 << 12)
    asked, side = [], 256

    def image(i):
        asked.append(i)
        return np.random.default_rng(i).random((side, side), np.float32)

    stack = Stack("big", (40, side, side), np.dtype("f4"), image)
    tracemalloc.start()
    measure(stack)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert asked == list(range(40))
    assert peak < 6 * 4 * side**2  # of forty


@pytest.mark.parametrize("dose", [3, 3000])
@pytest.mark.parametrize("phantom", ["nanoparticles", "ellipsoids"])
def test_sound_series_are_left_in_peace(phantom, dose):
    series = simulate(phantom, (24, 24, 24), Acquisition(ANGLES, dose=dose), seed=1).series()
    assert odd(series.images[0].numpy()) == []


def test_a_slab_at_high_tilt_is_left_in_peace():
    angles = np.arange(-70, 71, 2)
    images = np.random.default_rng(0).normal(0, 1, (len(angles), 8, 8))
    images += 50 / np.cos(np.radians(angles))[:, None, None]
    assert odd(images, angles) == []
    order = np.random.default_rng(1).permutation(len(angles))
    assert odd(images[order], angles[order]) == []


def brighter(images):
    images[11] += 300


def flat(images):
    images[11] = 0


def faint(images):
    images[11] = 1000 + (images[11] - 1000) * 1e-3


def copied(images):
    images[11] = images[10]


def saturated(images):
    np.minimum(images[11], np.percentile(images[11], 97), out=images[11])


def contrasty(images):
    images[11] += (images[11] - images[11].mean()) * 2


PLANTED = {
    brighter: "the mean jumps away from the neighbours': image 11",
    flat: "flat, every pixel the same: image 11",
    faint: "nearly blank, next to no contrast: image 11",
    copied: "the same as an earlier image, bit for bit: image 11",
    contrasty: "the contrast jumps away from the neighbours': image 11",
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_what_is_planted_is_found_alone(plant):
    images = sound()
    assert odd(images) == []
    plant(images)
    assert odd(images) == [PLANTED[plant]]


def test_saturation_is_found():
    images = sound()
    saturated(images)
    (line,) = odd(images)
    assert line.startswith("probably saturated, up to 3.") and line.endswith(": image 11")


@pytest.mark.parametrize(("dtype", "limit"), [("u2", 65535), ("i2", -32768), ("u1", 255)])
def test_the_limit_of_the_type_is_found(dtype, limit):
    images = (sound() / 20).astype(dtype)
    assert odd(images) == []
    images[4:6, :3, :5] = limit
    assert "saturated, up to 2.08% of pixels at the limit of their type: images 4-5" in odd(images)


def test_images_of_few_counts_are_not_called_saturated():
    counts = np.random.default_rng(0).poisson(0.3, (len(ANGLES), 64, 64))
    assert odd(counts.astype(np.uint8)) == []
    assert odd(np.minimum(counts, 1).astype(np.float32)) == []


ODD_ANGLES = {
    "repeat": ([-10, 0, 10, 0, 20], "the same angle twice: images 1, 3"),
    "gap": ([-20, -10, 0, 30, 40], "no image between 0° and 30°, where steps are 10°"),
    "radians": (np.radians(range(-60, 61, 5)), "are these radians"),
    "beyond": ([0, 100, 200, 300], "an angle of 300° is beyond a whole turn"),
}


@pytest.mark.parametrize("name", ODD_ANGLES)
def test_odd_angles_are_told(name):
    angles, says = ODD_ANGLES[name]
    (line,) = odd_angles([float(a) for a in angles])
    assert says in line


@pytest.mark.parametrize("angles", [ANGLES, [0, 3, -3, 6, -6], [-60, 0, 61], list(range(180))])
def test_usual_angles_are_left_in_peace(angles):
    assert list(odd_angles([float(a) for a in angles])) == []


@pytest.mark.parametrize(
    ("angles", "order"),
    [
        ((-60, 0, 60), "rising"),
        ((60, 0, -60), "falling"),
        ((0, 3, -3, -6, 6, 9, -9), "from the middle outwards"),
        ((0, 10, 20, 30, 40, 50, -10, -20, -30, -40, -50), "in two branches"),
        ((0, 50, -50, 10, 40, -40), "in mixed order"),
    ],
)
def test_the_order_of_images_is_named(angles, order):
    assert order_of(angles) == order


def test_angles_may_be_missing_or_too_few(tmp_path):
    path = written(tmp_path / "stack.mrc", sound())
    bare = inspect(path)
    assert bare.stack.angles is None and "no tilt angles; give them" in bare.odd[0]
    path.with_suffix(".rawtlt").write_text("1\n2\n")
    assert "25 images but 2 angles" in inspect(path).odd[0]
    with pytest.raises(TomoinrError, match="25 images but 3 angles"):
        inspect(path, "0:2:1")
    given_ = inspect(path, "-60:60:5", "x")
    assert given_.odd == () and given_.stack.tilt_axis == -90
    assert given_.stack.notes[:2] == ("angles as given", "tilt axis at -90° from y, as given")


@pytest.fixture
def program():
    app = typer.Typer()
    app.command()(info)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def test_the_program_tells_people_and_scripts(program, tmp_path):
    images = sound(np.int16)
    images[11] = 7
    path = written(tmp_path / "stack.mrc", images, ANGLES)
    told = " ".join(program(path).stdout.split())
    for part in (
        "25 images of 24 × 30, int16",
        "2.5 Å",
        "-60° to 60°, steps of 5°, rising",
        "angles from stack.rawtlt",
        "odd flat, every pixel the same: image 11",
    ):
        assert part in told, told
    table = json.loads(program(path, "--json").stdout)
    assert table["shape"] == [25, 24, 30] and table["type"] == "int16"
    assert table["pixel_size"] == 2.5 and table["angles"] == list(ANGLES)
    (channel,) = table["channels"]
    assert channel["mean"] == pytest.approx(images.mean()) and len(channel["images"]) == 25
    assert channel["images"][11]["std"] == 0 and table["odd"] == [
        "flat, every pixel the same: image 11"
    ]


def test_a_volume_of_ours_is_no_mistake_and_one_angstrom_is_no_size(program, tmp_path):
    grid = Grid((3, 4, 5), 1.0)
    series = TiltSeries(np.random.default_rng(0).random((2, 3, 5)), (0.0, 1.0))
    voxels = np.random.default_rng(1).random((3, 4, 5), np.float32)
    made = Reconstruction(voxels, grid, Poses.of(series.angles), (), series)
    host = Plugins(builtin, installed=False)
    told = program(save(tmp_path / "volume.mrc", made, plugins=host)).stdout
    assert "volume of 3 × 4 × 5" in told and "read as images" not in told
    told = program(save(tmp_path / "stack.mrc", series, plugins=host)).stdout
    assert "pixel size" in told and "unknown" in told


def test_json_has_no_nan(program, tmp_path):
    path = written(tmp_path / "stack.mrc", np.full((3, 4, 5), np.nan, np.float32), (0, 1, 2))
    ended = program(path, "--json")
    (channel,) = json.loads(ended.stdout, parse_constant=pytest.fail)["channels"]
    assert channel["mean"] is None and channel["not_finite"] == 60


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "noise"])
def test_broken_files_end_in_one_line(program, tmp_path, damage):
    path = written(tmp_path / "stack.mrc", sound(), ANGLES)
    whole = path.read_bytes()
    damaged = {"empty": b"", "cut": whole[:-10], "noise": whole[:100] * 30}
    path.write_bytes(damaged.get(damage, whole))
    if damage == "missing":
        path.unlink()
    error = program(path).exception
    assert isinstance(error, TomoinrError) and "\n" not in str(error)
