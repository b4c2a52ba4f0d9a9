"""Every step keeps its laws: where things are, how bright they are, which hand they have."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.fft import idctn

from tomoinr.builtin import preparations
from tomoinr.builtin.preparations import (
    Background,
    Bin,
    Crop,
    Dose,
    Exclude,
    Flip,
    Log,
    Mask,
    Normalise,
    Outliers,
    Pad,
    Rotate,
)
from tomoinr.data import TiltSeries
from tomoinr.errors import TomoinrError
from tomoinr.geometry import Grid, Pixels, Poses, place, positions
from tomoinr.interfaces import Preparation
from tomoinr.options import parse
from tomoinr.plugins import Plugins
from tomoinr.testing.preparations import PreparationContract
from tomoinr.testing.specimens import Gaussians, blobs

ANGLES = torch.tensor([-50.0, -20.0, 5.0, 30.0, 60.0])
CASES = [
    (Background, {}),
    (Background, {"order": 2, "sides": "x", "width": 0.2}),
    (Bin, {}),
    (Bin, {"factor": 1.3}),
    (Crop, {"rows": 7, "columns": 4}),
    (Crop, {"rows": 6, "offset_y": 1.5}),
    (Dose, {"dose": 2.5, "order": "file"}),
    (Dose, {"dose": 2.5, "order": "symmetric", "kilovolts": 200}),
    (Exclude, {"sections": [0, 4], "above": 50.0}),
    (Flip, {}),
    (Flip, {"along": "y"}),
    (Log, {}),
    (Log, {"incident": 6.0, "floor": 0.5}),
    (Mask, {}),
    (Mask, {"width": 7.0, "edge": 2.0, "thickness": 3.0, "outside": "mean"}),
    (Normalise, {}),
    (Normalise, {"by": "beam", "level": 1.0}),
    (Outliers, {}),
    (Outliers, {"threshold": 1.5}),
    (Pad, {"rows": 15, "columns": 12, "fill": "border"}),
    (Rotate, {}),
    (Rotate, {"degrees": 180}),
]


class TestContract(PreparationContract):
    @pytest.fixture(params=CASES, ids=lambda case: f"{case[0].name}-{case[1]}")
    def part(self, request):
        return request.param

    def test_channels_do_not_touch_each_other(self, step, series):
        both, images = step.prepare(series).images, series.images
        for number in (0, 1):
            one = TiltSeries(images[number], series.angles, series.pixel_size)
            assert torch.allclose(step.prepare(one).images[0], both[number], rtol=1e-5)


class Faulty(Preparation):
    """Each option is a fault that a law of the contract covers."""

    name, apart = "faulty", True

    def __init__(self, fault):
        self.fault = fault

    def prepare(self, series):
        images = series.images
        if self.fault == "spoils":
            images.mul_(2)
        if self.fault == "compares":  # though it says that it looks at images apart
            images = images - images.mean()
        if self.fault == "wavers":
            images = images + torch.rand(())
        if self.fault == "sorts":
            images = images[:, series.angles.argsort()]
        sections = (0,) * len(series.sections) if self.fault == "forgets" else series.sections
        return replace(series, images=images, sections=sections)


@pytest.mark.parametrize(
    ("fault", "law"),
    [
        ("spoils", PreparationContract.test_leaves_its_input_alone),
        ("forgets", PreparationContract.test_says_what_its_images_are),
        ("wavers", PreparationContract.test_same_again),
        ("sorts", PreparationContract.test_sections_follow_their_images),
        ("compares", PreparationContract.test_apart_means_apart),
    ],
)
def test_the_contract_catches(fault, law):
    series = series_of(torch.rand(6, 5, 4), angles=[3.0, -9, 20, 1, 40, -33])
    law(PreparationContract(), Faulty("none"), series)
    with pytest.raises(AssertionError):
        law(PreparationContract(), Faulty(fault), series)


def made(cls, **options):
    return cls(parse(cls.Options, options, cls.name))


def series_of(images, pixel_size=1.0, angles=None, **more):
    """A series of images (tilts, rows, columns), or of the same one (rows, columns) twice."""
    images = torch.as_tensor(images, dtype=torch.float32)
    images = torch.stack([images, images]) if images.dim() == 2 else images
    angles = torch.linspace(-40, 50, len(images)) if angles is None else angles
    return TiltSeries(images, angles, pixel_size, **more)


def blob(shape, spacing, x, y, width):
    """A Gaussian at (x, y) from the middle, all in Å."""
    along, across = (positions(n, spacing).double() for n in shape)
    squares = (along[:, None] - y) ** 2 + (across - x) ** 2
    return torch.exp(-squares / (2 * width**2)).float()


def test_all_steps_are_found():
    names = [part.name for part in Plugins(preparations, installed=False).parts("prepare")]
    assert names == sorted({cls.name for cls, _ in CASES})


# Binning

SIZES = [(48, 40, 2), (49, 40, 2), (47, 43, 3), (50, 40, 2.5), (45, 61, 2.5), (40, 44, 1.2)]


@pytest.mark.parametrize(("rows", "columns", "factor"), SIZES)
def test_bin_leaves_everything_where_it_is(rows, columns, factor):
    x, y, width = 3.3, -4.1, 2.8 * factor
    series = series_of(blob((rows, columns), 1.5, x, y, width), 1.5)
    binned = made(Bin, factor=float(factor)).prepare(series)
    assert binned.pixel_size == 1.5 * factor
    assert binned.shape[1:] == (math.floor(rows / factor), math.floor(columns / factor))
    wanted = blob(binned.shape[1:], 1.5 * factor, x, y, width)
    assert float((binned.images[0, 0] - wanted).abs().max()) < 3e-3
    moved = blob(binned.shape[1:], 1.5 * factor, x + 0.05 * factor, y, width)
    assert float((moved - wanted).abs().max()) > 6e-3  # so a twentieth of a pixel would show


@pytest.mark.parametrize(("rows", "columns", "factor"), SIZES)
def test_bin_keeps_constants(rows, columns, factor):
    binned = made(Bin, factor=float(factor)).prepare(series_of(torch.full((rows, columns), 7.5)))
    assert torch.allclose(binned.images, torch.tensor(7.5), atol=1e-5)


@pytest.mark.parametrize(("columns", "factor"), [(120, 2), (121, 3), (120, 2.5)])
def test_bin_averages_noise(columns, factor):
    noise = torch.randn(4, 60, columns)
    binned = made(Bin, factor=float(factor)).prepare(series_of(noise))
    assert float(binned.images.std()) == pytest.approx(1 / factor, rel=0.06)


def test_bin_by_one_is_nothing_and_two_twice_is_four():
    series = series_of(torch.randn(3, 24, 32))
    assert torch.allclose(made(Bin, factor=1.0).prepare(series).images, series.images, atol=1e-5)
    two, four = made(Bin), made(Bin, factor=4.0)
    twice = two.prepare(two.prepare(series))
    assert torch.allclose(twice.images, four.prepare(series).images, atol=1e-5)
    assert twice.pixel_size == four.prepare(series).pixel_size == 4


def test_bin_removes_what_finer_pixels_showed():
    stripes = torch.cos(torch.pi * 20 * (torch.arange(48) + 0.5) / 48).expand(40, 48)
    kept = made(Bin, factor=2.0).prepare(series_of(stripes)).images  # 20 half waves fit into 24
    gone = made(Bin, factor=3.0).prepare(series_of(stripes)).images  # but not into 16
    assert float(kept.std()) == pytest.approx(float(stripes.std()), rel=1e-3)
    assert float(gone.abs().max()) < 1e-5


# Boxes


def test_pad_and_crop_keep_sums_and_places():
    image = blob((21, 30), 2.0, 5.0, -3.0, 4.0)
    padded = made(Pad, rows=31, columns=44).prepare(series_of(image, 2.0))
    assert padded.shape == (2, 31, 44) and padded.pixel_size == 2
    assert float(padded.images[0, 0].sum()) == pytest.approx(float(image.sum()), rel=1e-6)
    inside = blob((31, 44), 2.0, 5.0, -3.0, 4.0) * (padded.images[0, 0] > 0)
    assert torch.allclose(padded.images[0, 0], inside, atol=1e-6)
    back = made(Crop, rows=21, columns=30).prepare(padded)
    assert torch.equal(back.images[0, 0], image)


def test_offsets_move_the_middle_of_the_box():
    image = blob((21, 30), 1.0, 5.0, -3.0, 2.0)
    cut = made(Crop, rows=11, columns=15, offset_x=4.5, offset_y=-2.0).prepare(series_of(image))
    assert torch.allclose(cut.images[0, 0], blob((11, 15), 1.0, 0.5, -1.0, 2.0), atol=1e-6)
    put = made(Pad, rows=29, columns=45, offset_x=2.5, offset_y=-1.0).prepare(series_of(image))
    found = put.images[0, 0]
    assert torch.equal(found[5:26, 5:35], image)
    assert torch.allclose(found, blob((29, 45), 1.0, 2.5, -2.0, 2.0), atol=2e-3)


def test_pad_fills_with_a_value_or_the_border():
    image = torch.full((5, 5), 3.0)
    image[2, 2] = 50.0
    for fill, wanted in ((9.0, 9.0), ("border", 3.0)):
        padded = made(Pad, rows=7, fill=fill).prepare(series_of(image))
        assert float(padded.images[0, 0, 0, 2]) == wanted


@pytest.mark.parametrize(
    ("cls", "options", "message"),
    [
        (Crop, {"rows": 30}, "30 rows do not fit into 20; crop makes images smaller"),
        (Pad, {"columns": 10}, "do not fit into 10"),
        (Crop, {"rows": 11}, "change a number by one, or the offset by 0.5"),
        (Crop, {"rows": 10, "offset_y": 6.0}, "leave the box of 20; at most 5"),
        (Bin, {"factor": 21.0}, "20 × 24 cannot be binned by 21"),
    ],
)
def test_impossible_boxes_are_refused(cls, options, message):
    with pytest.raises(TomoinrError, match=message):
        made(cls, **options).prepare(series_of(torch.ones(20, 24)))


# Outliers


def specimen(rows=40, columns=36):
    """Sharp particles on noise: nothing that should be mended."""
    image = 10 + torch.randn(rows, columns)
    for x, y in ((5, 3), (-9, 8), (2, -11)):
        image += 60 * blob((rows, columns), 1.0, x, y, 1.0)
    return image


def test_hot_and_dead_pixels_alone_or_in_pairs_are_mended():
    clean = specimen()
    spoilt = clean.clone()
    spots = [(0, 0), (0, 7), (39, 20), (12, 12), (12, 13), (30, 35)]
    for number, (row, column) in enumerate(spots):
        spoilt[row, column] = 4000 if number % 2 else -300
    mended = made(Outliers).prepare(series_of(spoilt))
    changed = (mended.images[0, 0] != clean).nonzero().tolist()
    assert sorted(map(tuple, changed)) == sorted(spots)
    assert float((mended.images[0, 0] - clean).abs().max()) < 8
    assert torch.equal(made(Outliers).prepare(mended).images, mended.images)


@pytest.mark.parametrize("mean", [0.005, 0.1, 1.0, 20.0])
def test_counts_are_no_outliers(mean):
    counts = torch.poisson(torch.full((3, 64, 64), mean))
    mended = made(Outliers).prepare(series_of(counts))
    changed = (mended.images[0] != counts).float().mean()
    assert float(changed) < 2e-4
    assert float(mended.images.sum()) == pytest.approx(float(counts.sum()), rel=1e-3)


def test_threshold_says_how_strange_is_too_strange():
    image = torch.randn(40, 40)
    image[20, 20] = 9 * float(image.std())
    found = [
        made(Outliers, threshold=t).prepare(series_of(image)).images[0, 0, 20, 20] for t in (3, 30)
    ]
    assert abs(found[0]) < 2 and found[1] == image[20, 20]


# Backgrounds


@pytest.mark.parametrize(
    ("order", "part", "sides"),
    [
        (0, 0.2, "all"),
        (1, 0.2, "all"),
        (2, 0.2, "all"),
        (3, 0.2, "all"),
        (0, 0.4, "y"),
        (1, 0.4, "y"),
    ],
)
def test_background_is_found_under_a_specimen_that_touches_the_border(order, part, sides):
    y, x = torch.linspace(-1, 1, 37)[:, None], torch.linspace(-1, 1, 50)
    shape = [20 + 0 * x * y, 5 * x - 3 * y, 4 * x * y + 2 * x**2, x**3 - 2 * x * y**2]
    ground = sum(shape[: order + 1])
    bar = 30 * (x.abs() < part).float().expand(37, 50)  # from edge to edge
    noise = 0.5 * torch.randn(37, 50)
    found = made(Background, order=order, sides=sides).prepare(series_of(ground + bar + noise))
    left = found.images[0, 0] - bar - noise
    assert float(left.abs().max()) < 0.15 * (1 + order)
    again = made(Background, order=order, sides=sides).prepare(found)
    assert torch.allclose(again.images, found.images, atol=1e-3)


def test_background_looks_where_it_is_told():
    image = torch.zeros(30, 40)
    image[:3], image[-3:] = 9.0, 9.0
    for sides, wanted in (("x", 0.0), ("y", 9.0)):
        found = made(Background, sides=sides, width=0.1).prepare(series_of(image))
        assert float(found.images[0, 0, 15, 20]) == pytest.approx(-wanted, abs=1e-4)


# Brightness


def test_means_become_equal_channel_by_channel():
    gains = torch.tensor([1.0, 0.5, 2.0])[:, None, None]
    images = torch.stack([(1 + torch.rand(8, 9)) * gains * c for c in (1, 100)])
    found = made(Normalise).prepare(TiltSeries(images, [0, 1, 2], channels=("a", "b")))
    wanted = images.mean((1, 2, 3))[:, None].expand(2, 3)
    assert torch.allclose(found.images.mean((2, 3)), wanted, rtol=1e-5)
    assert "factors 0.58" in found.notes[-1]
    again = made(Normalise).prepare(found)
    assert torch.allclose(again.images, found.images, rtol=1e-5)


def test_beams_become_what_is_asked():
    beams = (100.0, 140.0, 90.0)
    passed = 1 - 0.6 * blob((30, 40), 1.0, 2.0, 0.0, 4.0)
    images = torch.stack([torch.poisson(beam * passed) for beam in beams])
    found = made(Normalise, by="beam", level=1.0).prepare(series_of(images))
    assert torch.allclose(found.images[0].mean((1, 2)), passed.mean(), rtol=0.015)


def test_images_without_brightness_are_refused():
    images = torch.stack([torch.ones(6, 6), -torch.ones(6, 6)])
    with pytest.raises(TomoinrError, match=r"image 1 has a mean of -1, .* exclude it"):
        made(Normalise).prepare(series_of(images))


def test_logarithm_gives_absorption():
    absorbed = 1.7 * blob((32, 40), 1.0, 3.0, -2.0, 3.0)
    for beam, options in ((250.0, {}), (3000.0, {"incident": 3000.0})):
        found = made(Log, **options).prepare(series_of(beam * torch.exp(-absorbed)))
        assert torch.allclose(found.images[0, 0], absorbed, atol=2e-3)


def test_logarithm_refuses_what_has_none():
    image = torch.full((10, 10), 50.0)
    image[5, 5] = 0
    with pytest.raises(TomoinrError, match="image 0: 1 values are zero or below"):
        made(Log).prepare(series_of(image))
    found = made(Log, floor=0.01).prepare(series_of(image))
    assert float(found.images.max()) == pytest.approx(math.log(100), rel=1e-5)
    with pytest.raises(TomoinrError, match="no incident beam; give it"):
        made(Log).prepare(series_of(image - 50))


# Choice of images


def test_exclude_by_number_and_by_tilt():
    images = torch.arange(5.0)[:, None, None].expand(5, 4, 4)
    series = series_of(images, angles=ANGLES, sections=(3, 4, 6, 7, 9))
    found = made(Exclude, sections=[4], above=50.0).prepare(series)
    assert found.sections == (3, 6, 7) and found.angles.tolist() == [-50, 5, 30]
    assert found.images[0, :, 0, 0].tolist() == [0, 2, 3]
    assert found.notes[-1] == "images left out: 4, 9"
    assert made(Exclude, above=50.0).prepare(found).sections == found.sections
    assert made(Exclude, below=-20.0, sections=9).prepare(series).sections == (4, 6, 7)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"sections": [5]}, "no image 5"), ({"below": 40.0}, "leave 1 of 5 images")],
)
def test_impossible_choices_are_refused(options, message):
    with pytest.raises(TomoinrError, match=message):
        made(Exclude, **options).prepare(series_of(torch.ones(5, 4, 4), angles=ANGLES))


# Masks


def widths(series, **options):
    """How many columns of the middle row are seen, in each image."""
    seen = made(Mask, **options).prepare(series).images[0]
    return seen[:, series.shape[1] // 2].sum(1)


def test_mask_fades_by_a_cosine():
    series = series_of(torch.full((2, 6, 41), 2.0))
    found = made(Mask, width=31.0, edge=10.0).prepare(series).images[0, 0, 3]
    assert torch.equal(found, found.flip(0))
    assert bool((found[15:26] == 2).all()) and bool((found[:5] == 0).all())
    assert float(found[10]) == pytest.approx(2 * (1 - math.cos(0.55 * math.pi)) / 2, abs=1e-5)


def test_mask_narrows_with_the_tilt_where_asked():
    series = series_of(torch.ones(5, 9, 200), angles=ANGLES)
    assert torch.allclose(widths(series, width=150.0), torch.tensor(142.0), atol=0.1)
    tilt = torch.deg2rad(ANGLES)
    wanted = (150 * tilt.cos() + 20 * tilt.sin().abs()).clamp(max=150) - 8
    assert torch.allclose(widths(series, width=150.0, thickness=20.0), wanted, atol=0.1)
    assert float(widths(series, thickness=1e6).min()) == pytest.approx(192, abs=0.1)


def test_mask_follows_an_oblique_axis():
    series = series_of(torch.ones(2, 61, 61), tilt_axis=30.0)
    found = made(Mask, width=30.0, edge=0.0).prepare(series).images[0, 0]
    along = torch.tensor([math.cos(math.radians(30)), -math.sin(math.radians(30))])  # (row, column)
    for step in (-28, 28):  # on the axis, and as far beside it
        row, column = (30 + step * along).round().int().tolist()
        beside, below = (30 + step * along.flip(0) * torch.tensor([-1, 1])).round().int().tolist()
        assert found[row, column] == 1 and found[beside, below] == 0


def test_mask_fades_to_zero_or_to_the_mean():
    series = series_of(torch.full((2, 8, 20), 3.0))
    assert float(made(Mask).prepare(series).images.min()) < 0.1
    assert torch.allclose(made(Mask, outside="mean").prepare(series).images, series.images)


# Handedness


def views_of(specimen, series):
    """What a specimen looks like at a series' angles and tilt axis: (1, tilts, rows, columns)."""
    views = place(
        Poses.of(series.angles.float(), series.tilt_axis), series.shape, series.pixel_size
    )
    with torch.no_grad():
        return specimen.integral(views.rays(Pixels.rows(series.shape)))[:1].float()


HALF_TURNS = {"x": [1.0, -1, -1], "y": [-1.0, 1, -1], "z": [-1.0, -1, 1], "none": [1.0, 1, 1]}


@pytest.mark.parametrize("axis", [0.0, 12.0, -35.0])
@pytest.mark.parametrize(
    ("cls", "options", "about"),
    [
        (Flip, {"along": "x"}, "y"),
        (Flip, {"along": "y"}, "x"),
        (Rotate, {"degrees": 90}, "none"),
        (Rotate, {"degrees": 180}, "z"),
        (Rotate, {"degrees": 270}, "none"),
    ],
)
def test_flips_and_turns_show_the_same_specimen_turned(cls, options, about, axis):
    grid = Grid((25, 24, 24))
    seen = blobs(grid)
    empty = TiltSeries(torch.zeros(5, 25, 24), ANGLES, tilt_axis=axis)
    series = TiltSeries(views_of(seen, empty), ANGLES, tilt_axis=axis)
    found = made(cls, **options).prepare(series)
    turned = Gaussians(grid, seen.centres * torch.tensor(HALF_TURNS[about]), 2.0, seen.weights)
    assert torch.allclose(found.images, views_of(turned, found), atol=1e-4)
    mirrored = Gaussians(grid, turned.centres * torch.tensor([1.0, 1, -1]), 2.0, seen.weights)
    assert float((found.images - views_of(mirrored, found)).abs().max()) > 0.3


def test_twice_the_same_flip_and_four_quarters_are_nothing():
    series = series_of(torch.rand(3, 5, 7), tilt_axis=10.0)
    for step, times in (
        (made(Flip, along="x"), 2),
        (made(Flip, along="y"), 2),
        (made(Rotate, degrees=180), 2),
        (made(Rotate, degrees=90), 4),
    ):
        found = series
        for _ in range(times):
            found = step.prepare(found)
        assert torch.equal(found.images, series.images)
        assert torch.equal(found.angles, series.angles) and found.tilt_axis == 10


# Dose


def wave(rows, columns, number):
    """One cosine along the columns, of `number` half waves."""
    spectrum = np.zeros((rows, columns))
    spectrum[0, number] = 1
    return torch.from_numpy(idctn(spectrum, norm="ortho")).float()


@pytest.mark.parametrize(("kilovolts", "critical"), [(300, 14.139), (200, 11.311)])
def test_detail_of_ten_angstrom_fades_as_published(kilovolts, critical):
    image = wave(20, 40, 16)  # 16 / (2 · 40 · 2 Å) = 1 / (10 Å)
    step = made(Dose, dose=7.0, before=3.0, order="file", kilovolts=kilovolts)
    found = step.prepare(series_of(image, 2.0)).images[0]
    for number, dose in enumerate((10.0, 17.0)):
        left = math.exp(-dose / (2 * critical))
        assert torch.allclose(found[number], image * left, atol=1e-5)


def test_dose_leaves_the_mean_and_what_had_none():
    series = series_of(5 + torch.rand(2, 12, 15), 3.0)
    found = made(Dose, dose=40.0, order="file").prepare(series)
    assert torch.allclose(found.images.mean((2, 3)), series.images.mean((2, 3)), rtol=1e-5)
    assert float(found.images.std()) < 0.7 * float(series.images.std())
    none = made(Dose, dose=0.0, order="file").prepare(series)
    assert torch.allclose(none.images, series.images, atol=1e-5)


@pytest.mark.parametrize(
    ("order", "doses"),
    [
        ("file", [1, 2, 3, 4, 5]),
        ("rising", [2, 5, 3, 1, 4]),
        ("falling", [4, 1, 3, 5, 2]),
        ("symmetric", [3, 5, 1, 4, 2]),
        ([3, 1, 4, 0, 2], [4, 2, 5, 1, 3]),
    ],
)
def test_order_of_acquisition(order, doses):
    angles = torch.tensor([-20.0, 60.0, 3.0, -40.0, 20.0])
    options = parse(Dose.Options, {"dose": 1.0, "order": order}, "dose")
    series = series_of(torch.rand(5, 4, 4), 2.0, angles)
    assert preparations.dose.taken(options, series) == doses


@pytest.mark.parametrize(
    ("options", "doses"),
    [
        ({"dose": 2.0, "order": "file"}, [4, 8]),
        ({"dose": [1.0, 1, 3, 3, 9], "order": "file"}, [2, 8]),
        ({"dose": 2.0, "order": [4, 0, 1, 2, 3], "before": 5.0}, [11, 15]),
    ],
)
def test_images_left_out_took_dose_too(options, doses):
    series = series_of(torch.rand(5, 4, 4), 2.0).select([1, 3])
    assert preparations.dose.taken(parse(Dose.Options, options, "dose"), series) == doses


@pytest.mark.parametrize(
    ("options", "pixel_size", "message"),
    [
        ({}, 2.0, "give the dose of an image"),
        ({"dose": 2.0}, 2.0, "and their order"),
        ({"dose": 2.0, "order": "file"}, 1.0, "needs the pixel size"),
        ({"dose": 2.0, "order": "rising"}, 2.0, "images have been left out"),
        ({"dose": 2.0, "order": [0, 1]}, 2.0, "must name every image once"),
        ({"dose": [2.0, 2.0], "order": "file"}, 2.0, "2 doses for 4 images"),
    ],
)
def test_unclear_doses_are_refused(options, pixel_size, message):
    series = series_of(torch.rand(5, 4, 4), pixel_size).select([1, 3])
    with pytest.raises(TomoinrError, match=message):
        made(Dose, **options).prepare(series)


@pytest.mark.parametrize(
    ("cls", "options", "message"),
    [
        (Bin, {"factor": 0.5}, "prepare 'bin': option 'factor' must be at least 1"),
        (Bin, {"by": 2}, "has no option 'by'; there are factor"),
        (Background, {"order": 4}, "at most 3"),
        (Rotate, {"degrees": 45}, "'degrees' must be 90 | 180 | 270, got 45"),
        (Dose, {"order": "random"}, "'order' must be"),
        (Exclude, {"sections": -1}, "at least 0"),
        (Pad, {"fill": "mirror"}, "'fill' must be"),
        (Mask, {"edge": -1.0}, "at least 0"),
    ],
)
def test_options_are_checked_in_one_line(cls, options, message):
    with pytest.raises(TomoinrError) as refused:
        parse(cls.Options, options, f"prepare '{cls.name}'")
    assert message in str(refused.value) and "\n" not in str(refused.value)
