"""What is put into a file by other hands comes out: values, sizes, tilts, channels."""

import tracemalloc
from types import ModuleType

import numpy as np
import pytest

import tomoinr_rosettasciio
from tomoinr import hookimpl
from tomoinr.errors import TomoinrError
from tomoinr.io import load, open_stack
from tomoinr.plugins import Plugins
from tomoinr.stack import Stack
from tomoinr_rosettasciio.dm_sizes import pixels_told


def images(stack):
    return np.stack([stack.image(i) for i in range(stack.shape[0])])


def put(path, content):
    path.write_bytes(content)
    return path


def signal(array, navigated, units=("deg", "nm", "nm", "keV"), **metadata):
    """A signal as HyperSpy hands it to a writer of rosettasciio."""
    axes = [
        {"name": f"axis{i}", "size": size, "scale": 2.0, "offset": -4.0, "units": units[i],
         "navigate": i < navigated, "index_in_array": i, "_type": "UniformDataAxis"}
        for i, size in enumerate(array.shape)
    ]  # fmt: skip
    metadata = {"General": {"title": "EDS"}, "Signal": {"signal_type": ""}} | metadata
    empty = {name: {} for name in ("learning_results", "models", "tmp_parameters", "package_info")}
    return empty | {
        "data": array,
        "axes": axes,
        "metadata": metadata,
        "original_metadata": {},
        "attributes": {"_lazy": False, "ragged": False},
    }


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize("dtype", ["int16", "uint16", "uint8", "float32"])
def test_digital_micrograph(dm, plugins, stack, tmp_path, version, dtype):
    given = stack.astype(dtype)
    image = {"array": given, "scale": 0.25, "unit": "nm", "name": "HAADF"}
    found = open_stack(put(tmp_path / f"a.dm{version}", dm(version, [image])), plugins)
    assert found.dtype == dtype and np.array_equal(images(found), given)
    assert (found.pixel_size, found.angles, found.channels) == (2.5, None, ("HAADF",))


@pytest.mark.parametrize("version", [3, 4])
def test_sizes_of_digital_micrograph_are_looked_up(dm, stack, tmp_path, version):
    for order in "<>":
        image = {"array": stack, "scale": 0.25, "unit": "nm", "name": "HAADF"}
        content = dm(version, [image, image | {"array": stack[0]}], order=order)
        assert pixels_told(put(tmp_path / "a.dm", content)) == stack.size


def test_thumbnails_and_surveys_are_left_out(dm, plugins, stack, tmp_path):
    small = {"array": stack[0], "scale": 1.0, "unit": "nm", "name": "survey"}
    tall = {"array": stack, "scale": 0.25, "unit": "nm", "name": "tilts"}
    path = put(tmp_path / "a.dm3", dm(3, [small, small, tall, tall], thumbnails=1))
    found = open_stack(path, plugins)
    assert found.channels == ("tilts 1", "tilts 2") and found.shape == stack.shape
    assert np.array_equal(found.image(2), [stack[2], stack[2]])
    assert found.notes == ("left out, being of another size: survey (1, 7, 6)",)


@pytest.mark.parametrize(
    ("unit", "size"), [("nm", 5.0), ("µm", 5000.0), ("pm", 0.005), ("1/nm", None), ("", None)]
)
def test_units_become_angstroms(dm, plugins, stack, tmp_path, unit, size):
    path = put(tmp_path / "a.dm4", dm(4, [{"array": stack, "scale": 0.5, "unit": unit}]))
    assert open_stack(path, plugins).pixel_size == size
    assert open_stack(path, plugins, 3.5).pixel_size == 3.5


@pytest.mark.parametrize(
    ("stack_axis", "origin", "angles"),
    [
        ((3.0, "deg"), 2.0, (-6, -3, 0, 3, 6)),
        ((-0.1, "rad"), 0.0, np.degrees([0, -0.1, -0.2, -0.3, -0.4])),
        ((3.0, "s"), 0.0, None),
        ((0.0, "deg"), 0.0, None),
    ],
)
def test_an_axis_of_angles_gives_them(dm, plugins, stack, tmp_path, stack_axis, origin, angles):
    image = {"array": stack, "scale": 1.0, "unit": "nm", "stack": stack_axis, "origin": origin}
    found = open_stack(put(tmp_path / "a.dm3", dm(3, [image])), plugins).angles
    assert found == (angles if angles is None else pytest.approx(angles))


def test_spectrum_images_of_digital_micrograph_are_no_tilts(dm, plugins, stack, tmp_path):
    image = {"array": stack, "scale": 1.0, "unit": "nm", "stack": (1.0, "eV")}
    found = open_stack(put(tmp_path / "a.dm3", dm(3, [image])), plugins)
    assert found.shape == (1, 7, 6) and np.array_equal(found.image(0), stack.sum(axis=0))
    assert found.notes == ("spectra are summed over all energies",)


def test_one_image_is_read_at_a_time(dm, plugins, tmp_path):
    large = np.random.default_rng(0).integers(0, 99, (60, 200, 200)).astype(np.uint16)
    path = put(tmp_path / "a.dm4", dm(4, [{"array": large, "scale": 1.0, "unit": "nm"}]))
    open_stack(path, plugins).image(0)  # what is imported is not counted
    tracemalloc.start()
    found = open_stack(path, plugins)
    assert np.array_equal(found.image(41), large[41])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < large.nbytes / 4


def test_velox_detectors_are_channels_and_frames_have_tilts(velox, plugins, stack, tmp_path):
    tilts = [-10.0, 0.0, 10.25, 20.0, 30.5]
    given = {"HAADF": stack, "BF": stack[::-1], "DF": stack + 1}
    found = open_stack(velox(tmp_path / "a.emd", given, tilts), plugins)
    assert set(found.channels) == set(given) and found.angles == tuple(tilts)
    for name, image in zip(found.channels, found.image(1), strict=True):
        assert np.array_equal(image, given[name][1])
    assert found.pixel_size == 4.0 and "stage's tilt" in found.notes[0]
    series = load(tmp_path / "a.emd", plugins=plugins)
    assert series.images.shape == (3, 5, 7, 6) and series.angles.tolist() == tilts


@pytest.mark.parametrize("tilts", [None, [5.0] * 5])
def test_velox_stacks_without_a_tilt_of_their_own(velox, plugins, stack, tmp_path, tilts):
    found = open_stack(velox(tmp_path / "a.emd", {"HAADF": stack}, tilts), plugins)
    assert found.angles is None and np.array_equal(images(found), stack)


def test_a_single_velox_image(velox, plugins, stack, tmp_path):
    found = open_stack(velox(tmp_path / "a.emd", {"HAADF": stack[:1]}, [5.0]), plugins)
    assert found.shape == (1, 7, 6) and np.array_equal(found.image(0), stack[0])


@pytest.mark.parametrize("dtype", ["int16", "uint16", "float32"])
def test_tia_stores_the_lowest_row_first(ser, plugins, stack, tmp_path, dtype):
    given = stack.astype(dtype)
    found = open_stack(put(tmp_path / "a.ser", ser(given, 5e-10)), plugins)
    assert np.array_equal(images(found), given[:, ::-1])  # what is shown on top comes first
    assert found.pixel_size == 5.0 and found.angles is None


def test_an_emi_file_leads_to_its_series(ser, plugins, stack, tmp_path):
    put(tmp_path / "a_1.ser", ser(stack, 5e-10))
    about = b"<ObjectInfo><AcquireDate>Fri Nov 20 10:00:00 2026</AcquireDate></ObjectInfo>"
    found = open_stack(put(tmp_path / "a.emi", b"JK\0\2" + about), plugins)
    assert np.array_equal(images(found), stack[:, ::-1])


def test_hyperspy_files_have_tilts_on_their_axis(plugins, stack, tmp_path):
    from rsciio.hspy import file_writer

    file_writer(str(tmp_path / "a.hspy"), signal(stack, 1))
    found = open_stack(tmp_path / "a.hspy", plugins)
    assert np.array_equal(images(found), stack)
    assert (found.angles, found.pixel_size) == ((-4, -2, 0, 2, 4), 20.0)


def test_hyperspy_files_have_tilts_in_their_metadata(plugins, stack, tmp_path):
    from rsciio.hspy import file_writer

    tilts = np.array([-30.0, -15, 0, 10, 12.5])
    told = signal(stack, 1, ("", "nm", "nm"), Tomography={"tilts": tilts})
    file_writer(str(tmp_path / "a.hspy"), told)
    assert open_stack(tmp_path / "a.hspy", plugins).angles == tuple(tilts)


def test_spectra_of_a_tilt_series_are_summed(plugins, tmp_path):
    from rsciio.hspy import file_writer

    counts = np.random.default_rng(0).integers(0, 9, (4, 7, 6, 30)).astype(np.uint8)
    file_writer(str(tmp_path / "a.hspy"), signal(counts, 3))
    found = open_stack(tmp_path / "a.hspy", plugins)
    assert found.shape == (4, 7, 6) and found.dtype == np.float32
    assert np.array_equal(images(found), counts.sum(axis=3))
    assert "spectra are summed over all energies" in found.notes


def test_blockfiles_of_one_line_are_stacks(plugins, tmp_path):
    from rsciio.blockfile import file_writer

    given = np.random.default_rng(0).integers(0, 255, (5, 8, 8)).astype(np.uint8)
    told = signal(given, 1, ("nm", "cm", "cm"), Acquisition_instrument={})
    file_writer(str(tmp_path / "a.blo"), told)
    assert np.array_equal(images(open_stack(tmp_path / "a.blo", plugins)), given)


def test_content_counts_before_the_suffix(dm, velox, plugins, stack, tmp_path):
    image = {"array": stack, "scale": 1.0, "unit": "nm"}
    for path in (put(tmp_path / "a.dat", dm(3, [image])), velox(tmp_path / "b", {"A": stack})):
        assert np.array_equal(images(open_stack(path, plugins)), stack)


def test_other_readers_are_asked_first(dm, stack, tmp_path):
    @hookimpl
    def tomoinr_read(path):
        return Stack.of_array("another's", stack) if path.suffix == ".dm3" else None

    other = ModuleType("other")
    other.tomoinr_read = tomoinr_read
    for order in ((other, tomoinr_rosettasciio), (tomoinr_rosettasciio, other)):
        path = put(tmp_path / "a.dm3", dm(3, [{"array": stack, "scale": 1.0, "unit": "nm"}]))
        assert open_stack(path, Plugins(*order, installed=False)).source == "another's"


@pytest.mark.parametrize("name", ["a.mrc", "a.tif", "a.npy", "a.h5", "a.png", "a.msa", "a.txt"])
def test_what_is_others_business_is_left_to_them(plugins, tmp_path, name):
    assert plugins.read(put(tmp_path / name, b"\x89HDF\r\n\x1a\n" + bytes(3000))) is None


def test_emd_files_of_berkeley_are_left_to_others(plugins, stack, tmp_path):
    from rsciio.emd import file_writer

    file_writer(str(tmp_path / "a.emd"), signal(stack, 1))
    assert plugins.read(tmp_path / "a.emd") is None


def test_pixels_must_be_square_unless_their_size_is_given(plugins, stack, tmp_path):
    from rsciio.hspy import file_writer

    told = signal(stack, 1)
    told["axes"][2]["scale"] = 3.0
    file_writer(str(tmp_path / "a.hspy"), told)
    with pytest.raises(TomoinrError, match="pixels of 30 × 20 Å, but only square"):
        open_stack(tmp_path / "a.hspy", plugins)
    assert open_stack(tmp_path / "a.hspy", plugins, 20.0).pixel_size == 20.0


@pytest.mark.parametrize("shape", [(3, 4, 5, 6), (9,)])
def test_what_holds_no_images_is_refused(plugins, tmp_path, shape):
    from rsciio.hspy import file_writer

    file_writer(str(tmp_path / "a.hspy"), signal(np.ones(shape), 0, ("", "", "", "")))
    with pytest.raises(TomoinrError, match="holds no images") as caught:
        open_stack(tmp_path / "a.hspy", plugins)
    assert str(shape) in str(caught.value)
