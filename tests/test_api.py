"""`tomoinr.reconstruct`: parts in every form, units in and out, seeds, shapes, and refusals."""

import mrcfile
import numpy as np
import pytest
import torch

import tomoinr
from tomoinr import Grid, Poses, TiltSeries, TomoinrError, place
from tomoinr.api import execute
from tomoinr.assemble import check_size
from tomoinr.builtin.fixed import Fixed
from tomoinr.builtin.joint import Joint
from tomoinr.builtin.priors import Sparsity
from tomoinr.builtin.quadrature import Quadrature
from tomoinr.builtin.sirt import Sirt
from tomoinr.builtin.slices import Slices
from tomoinr.builtin.voxels import Voxels
from tomoinr.options import NoOptions
from tomoinr.recipe import Recipe
from tomoinr.testing.specimens import blobs

ANGLES = np.linspace(-60, 60, 9)


def take(angles=ANGLES, shape=(6, 10, 10), spacing=1.0, channels=1, poses=None):
    """A series of blobs as `slices` sees them, and the voxels that are true."""
    grid = Grid(shape, spacing)
    specimen, angles = blobs(grid, 1.2), torch.as_tensor(angles, dtype=torch.float32)
    seen = (len(angles), shape[0], shape[2])
    views = place(poses or Poses.of(angles), seen, spacing)
    images = Slices(Slices.Options(), grid).project(specimen, views)[:channels]
    names = tuple(f"signal {i}" for i in range(channels))
    series = TiltSeries(images, angles, spacing, names)
    return series, specimen.voxels(grid)[:channels].numpy()


@pytest.fixture(scope="module")
def solve(plugins):
    """`reconstruct` with the built-in parts alone."""

    def run(series, solver="sirt", steps=20, **options):
        return tomoinr.reconstruct(series, solver=solver, steps=steps, plugins=plugins, **options)

    return run


def seen(result):
    """The images of a result, as `slices` sees them."""
    volume = Voxels(Voxels.Options(), result.grid)
    volume.values.data[0] = torch.from_numpy(result.voxels)
    views = place(result.poses, result.series.shape, result.series.pixel_size)
    return Slices(Slices.Options(), result.grid).project(volume, views)[0].detach().numpy()


def difference(one, other):
    return np.linalg.norm(one - other) / np.linalg.norm(other)


def likeness(one, other):
    return np.corrcoef(one.ravel(), other.ravel())[0, 1]


def test_parts_by_name_table_or_object_are_the_same_parts(solve):
    series, truth = take()
    grid, nominal = series.grid(), Poses.of(series.angles)
    nominal = Poses(nominal.rotation.float(), nominal.shift.float())
    made = {
        "volume": Voxels(Voxels.Options(), grid),
        "poses": Fixed(NoOptions(), nominal, grid),
        "projector": Slices(Slices.Options(), grid),
    }
    names = {"volume": "voxels", "poses": "fixed", "projector": "slices"}
    tables = {kind: {"name": name} for kind, name in names.items()}
    plain = solve(series).voxels
    assert likeness(plain, truth) > 0.9
    for parts in (names, tables, made):
        for kind in parts:
            if parts is made and kind == "volume":
                made[kind].values.data.zero_()
            assert np.array_equal(solve(series, **{kind: parts[kind]}).voxels, plain)
    by_table = solve(series, solver={"name": "sirt", "steps": 20}, steps=None)
    by_object = solve(series, solver=Sirt(Sirt.Options(steps=20)), steps=None)
    assert np.array_equal(by_table.voxels, plain) and np.array_equal(by_object.voxels, plain)


def test_options_of_a_table_are_used(solve):
    series, _ = take()
    plain, free = (solve(series, solver={"name": "sirt", "positive": p}) for p in (True, False))
    assert plain.voxels.min() == 0 > free.voxels.min()
    assert free.recipe["solver"] == {
        "name": "sirt", "steps": 20, "relaxation": 1.0, "positive": False
    }  # fmt: skip


@pytest.mark.parametrize("given", ["sparsity", {"name": "sparsity"}, Sparsity(Sparsity.Options())])
def test_priors_in_every_form(solve, given):
    series, _ = take()
    none = solve(series, "joint", priors=[]).voxels
    one, many = (solve(series, "joint", priors=p).voxels for p in (given, [given]))
    assert np.array_equal(one, many) and not np.array_equal(one, none)
    both = solve(series, "joint", priors=["tv", Sparsity(Sparsity.Options())])
    assert not np.array_equal(both.voxels, one)


@pytest.mark.parametrize("solver", ["sirt", "tv", "joint"])
def test_the_result_says_what_was_done(solve, solver):
    series, _ = take(spacing=2.0)
    result = solve(series, solver, steps=3, depth=4, seed=5)
    assert result.voxels.shape == (6, 4, 10) and result.voxels.dtype == np.float32
    assert result.grid == Grid((6, 4, 10), 2.0) and result.series is series
    assert [record.step for record in result.history] == [1, 2, 3]
    assert all(np.isfinite(record.loss) for record in result.history)
    assert result.poses.angles().tilt.tolist() == pytest.approx(ANGLES, abs=1e-4)
    assert result.recipe["run"] == {
        "quality": "default", "align": True, "depth": 4, "seed": 5, "exact": False,
    }  # fmt: skip
    assert result.recipe["solver"]["name"] == solver


@pytest.mark.parametrize("solver", ["sirt", "tv", "fbp", "joint"])
def test_what_comes_in_goes_out(solve, solver):
    """Images × 7: voxels × 7. Pixels × 3, same images: voxels / 3, for sums keep their value."""
    steps = None if solver == "fbp" else 20
    series, _ = take()
    plain = solve(series, solver, steps).voxels
    assert difference(solve(series.scaled(7), solver, steps).voxels, 7 * plain) < 1e-4
    wide = TiltSeries(series.images, series.angles, 3.0)
    assert difference(solve(wide, solver, steps).voxels, plain / 3) < 1e-3


@pytest.mark.parametrize("spacing", [1.0, 3.0])
@pytest.mark.parametrize("solver", ["sirt", "tv"])
def test_voxels_times_their_size_add_up_to_pixels(solve, solver, spacing):
    series, truth = take(spacing=spacing)
    result = solve(series, solver, steps=100)
    middle = series.images[0, 4].numpy()
    assert difference(result.voxels.sum(axis=1) * spacing, middle) < 0.05
    assert result.voxels.sum() == pytest.approx(truth.sum(), rel=0.03)


@pytest.mark.parametrize("solver", ["sirt", "tv", "fbp", "joint"])
def test_channels_are_solved_side_by_side(solve, solver):
    steps = {"fbp": None, "joint": 60}.get(solver, 15)
    series, truth = take(channels=2)
    both = solve(series, solver, steps)
    assert both.voxels.shape == truth.shape
    for found, true in zip(both.voxels, truth, strict=True):
        assert likeness(found, true) > 0.75
    if solver in ("sirt", "fbp"):
        first = TiltSeries(series.images[:1], series.angles)
        assert difference(solve(first, solver, steps).voxels, both.voxels[0]) < 1e-4


def test_the_seed_decides(solve):
    series, _ = take()
    first, again, other = (solve(series, "joint", seed=s) for s in (3, 3, 4))
    assert np.array_equal(first.voxels, again.voxels)
    assert [r.loss for r in first.history] == [r.loss for r in again.history]
    assert not np.array_equal(first.voxels, other.voxels)
    assert [r.loss for r in first.history] != [r.loss for r in other.history]


@pytest.mark.parametrize("shape", [(5, 12, 9), (4, 3, 12), (1, 8, 11), (7, 1, 8), (3, 20, 8)])
@pytest.mark.parametrize("solver", ["sirt", "tv", "fbp", "joint"])
def test_any_shape(solve, solver, shape):
    """Odd, even, one row, thin and thick: the images are explained by what comes out."""
    rng = np.random.default_rng(0)
    series = TiltSeries(rng.random((5, shape[0], shape[2])) + 1, np.linspace(-50, 50, 5))
    result = solve(series, solver, None if solver == "fbp" else 60, depth=shape[1])
    assert result.voxels.shape == shape and np.isfinite(result.voxels).all()
    limit = 1.0 if solver == "fbp" else 0.5
    assert difference(seen(result), series.images[0].numpy()) < limit


@pytest.mark.parametrize("solver", ["sirt", "tv", "fbp"])
def test_the_order_of_the_tilts_does_not_matter(solve, solver):
    steps = None if solver == "fbp" else 20
    series, _ = take()
    order = np.random.default_rng(1).permutation(len(ANGLES))
    plain, mixed = (solve(s, solver, steps).voxels for s in (series, series.select(order)))
    assert difference(mixed, plain) < 1e-4


@pytest.mark.parametrize("solver", ["sirt", "tv", "fbp"])
def test_every_angle_twice_is_the_same_specimen(solve, solver):
    steps = {"fbp": None, "tv": 200}.get(solver, 20)
    series, _ = take()
    twice = series.select([*range(9), *range(9)])
    plain, doubled = (solve(s, solver, steps).voxels for s in (series, twice))
    assert difference(doubled, plain) < (0.01 if solver == "tv" else 1e-4)


def test_poses_to_start_from_are_used(solve):
    shift = torch.linspace(-1.5, 1.5, 18).reshape(9, 2)
    poses = Poses.of(torch.tensor(ANGLES).float(), 1.0, shift=shift)
    series, truth = take(poses=poses)
    started, nominal = (solve(series, start=start) for start in (poses, None))
    assert likeness(started.voxels, truth) > likeness(nominal.voxels, truth) + 0.05
    assert torch.allclose(started.poses.shift, shift)
    with pytest.raises(TomoinrError, match="9 poses to start from, but 8 images"):
        solve(series.select(range(8)), start=poses)


def test_a_lone_particle_is_enough(solve):
    images = np.zeros((3, 40, 40))
    images[:, 20, 20] = 1
    assert solve(TiltSeries(images, [-20, 0, 20]), steps=3).voxels.max() > 0


def test_a_saved_recipe_runs_again_and_gives_the_same(plugins, tmp_path):
    series, _ = take()
    (tmp_path / "data").mkdir()
    loaded = TiltSeries.load(series.save(tmp_path / "data" / "stack.mrc"))
    result = tomoinr.reconstruct(loaded, solver="sirt", steps=3, depth=4, plugins=plugins)
    result.save(tmp_path / "out", order="xyz")
    recipe = Recipe.load(tmp_path / "out" / "recipe.toml", tmp_path / "again")
    again = execute(recipe, plugins=plugins)
    assert np.array_equal(again.voxels, result.voxels)
    one, other = (mrcfile.read(tmp_path / f / "volume.mrc") for f in ("out", "again"))
    assert np.array_equal(one, other) and one.shape == (4, 6, 10)  # the order was kept


@pytest.mark.parametrize(
    ("options", "lost"),
    [
        ({}, "tilt series"),
        ({"start": Poses.of(torch.tensor(ANGLES))}, "tilt series, start"),
        ({"solver": Sirt(Sirt.Options(steps=2)), "steps": None}, "tilt series, solver"),
    ],
)
def test_what_a_recipe_cannot_hold_is_told_in_its_first_line(solve, tmp_path, options, lost):
    series, _ = take()
    folder = solve(series, **{"steps": 2, **options}).save(tmp_path / "out")
    text = (folder / "recipe.toml").read_text()
    told = "# This result cannot be run again from its recipe alone: objects of Python were "
    told += f"{lost}.\n"
    assert text.startswith(told) and "stack =" not in text
    with pytest.raises(TomoinrError, match="names no tilt series"):
        execute(Recipe.load(folder / "recipe.toml", tmp_path / "again"))


def test_a_part_of_a_file_is_not_taken_for_the_file(solve, tmp_path):
    path = take()[0].save(tmp_path / "stack.mrc")
    whole = TiltSeries.load(path)
    assert solve(whole, steps=1).recipe["data"]["stack"] == str(path)
    assert "stack" not in solve(whole.select([1, 2, 5]), steps=1).recipe["data"]


def test_where_the_memory_is_not_told_nothing_is_refused_for_it(monkeypatch):
    grid = Grid((40_000, 40_000, 40_000))
    with pytest.raises(TomoinrError, match=r"needs about \d+ GiB of memory"):
        check_size(grid, 1)
    monkeypatch.delattr("os.sysconf")  # as on Windows
    check_size(grid, 1)


SERIES = take()[0]
TILTED = Poses.of(torch.tensor(ANGLES), 0.0, 3.0)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"projector": "slices", "start": TILTED}, "use the projector 'quadrature'"),
        ({"solver": "joint", "start": TILTED}, "use the projector 'quadrature'"),
        ({"projector": {"name": "quadrature", "jitter": True}}, "sirt needs parts that can be lin"),
        ({"volume": "voxel"}, "no volume is called 'voxel'.*Did you mean 'voxels'"),
        ({"volume": {"size": 3}}, "volume: give a name, or a table"),
        ({"volume": 3}, "volume: give a name, or a table"),
        ({"volume": Voxels}, "volume: give a name, or a table"),
        ({"solver": {"name": "sirt", "step": 3}}, "no option 'step'.*Did you mean 'steps'"),
        ({"priors": ["smooth"]}, "no prior is called 'smooth'"),
        ({"quality": "good"}, "option 'quality' must be 'fast' | 'default' | 'best'"),
        ({"depth": 0}, "option 'depth' must be at least 1"),
        ({"depth": 2.5}, "option 'depth' must be int"),
        ({"depth": 161}, "6 × 161 × 10 voxels is more than 16 times as deep"),
        ({"priors": ["tv"]}, "sirt uses no priors, but tv was asked for; use the solver 'joint'"),
        ({"priors": 3}, "priors must be a list of names, tables or priors, got 3"),
        ({"start": "poses.json"}, r"start must be Poses; read them with .*read_poses"),
        ({"seed": -1}, "option 'seed' must be at least 0"),
        ({"seed": 2**64}, "option 'seed' must be at most"),
        ({"steps": 0}, "option 'steps' must be at least 1"),
        ({"solver": "fbp", "steps": 3}, "takes no number of steps"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(plugins, options, says):
    with pytest.raises(TomoinrError, match=says) as caught:
        tomoinr.reconstruct(SERIES, **{"solver": "sirt", **options}, plugins=plugins)
    assert "\n" not in str(caught.value)


def test_a_tilted_axis_with_quadrature(solve):
    """What `slices` refuses, the projector it names can do."""
    series, _ = take(shape=(4, 6, 6))
    result = solve(series, projector="quadrature", start=TILTED, steps=3)
    assert result.history[-1].loss < result.history[0].loss


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"images": np.zeros((9, 0, 4))}, "not empty"),
        ({"images": np.ones((3, 4))}, r"must be \[tilt, row, column\]"),
        ({"images": [["a"]]}, "arrays of numbers"),
        ({"images": [[1, 2], [3]]}, "arrays of numbers"),
        (
            {"images": np.full((9, 4, 4), np.nan)},
            "image 0 holds NaN or infinite values, as do 8 more; repair or exclude",
        ),
        ({"images": np.full((9, 4, 4), 1e300)}, "infinite"),
        ({"angles": ANGLES[:8]}, r"9 images but 8 angles; .* \(--angles, in Python angles\)"),
        ({"angles": "-60:60:15"}, r"'-60:60:15' is text; tomoinr\.io\.read_angles"),
        ({"images": np.ones((1, 4, 4)), "angles": [0]}, "at least two images"),
        ({"angles": np.full(9, np.inf)}, "angle is not a finite"),
        ({"pixel_size": 0}, "pixel size must be above zero, got 0"),
        ({"pixel_size": -1.5}, "pixel size must be above zero, got -1.5"),
        ({"pixel_size": np.nan}, "pixel size must be above zero"),
        ({"pixel_size": "wide"}, "pixel size must be above zero"),
        ({"images": np.full((9, 4, 4), 1j)}, "these are complex"),
        ({"angles": np.full(9, 20.0)}, "all images have the same tilt angle"),
        ({"channels": ("a", "b")}, "one name for each channel"),
    ],
)
def test_a_series_refuses_what_no_reconstruction_can_use(change, says):
    with pytest.raises(TomoinrError, match=says) as caught:
        TiltSeries(**{"images": np.ones((9, 4, 4)), "angles": ANGLES, **change})
    assert "\n" not in str(caught.value)


def test_dark_images_and_no_series_are_refused(solve):
    with pytest.raises(TomoinrError, match="every image is flat"):
        solve(SERIES.scaled(0))
    each = torch.arange(9.0)[:, None, None].expand(9, 4, 4)
    with pytest.raises(TomoinrError, match="every image is flat"):
        solve(TiltSeries(each, ANGLES))
    with pytest.raises(TomoinrError, match="a tilt series is read from a path, got 5"):
        TiltSeries.load(5)
    with pytest.raises(TomoinrError, match=r"takes a TiltSeries.*TiltSeries\.load"):
        solve("stack.mrc")


def test_a_series_takes_any_numbers():
    """Byte orders, integers and views of arrays; a size as a header holds it becomes plain."""
    array = np.arange(36, dtype=">i2").reshape(3, 3, 4)[:, ::-1]
    series = TiltSeries(array, [1, 2, 3], np.array(1.5, np.float32))
    assert np.array_equal(series.images[0], array.astype(np.float32))
    assert type(series.pixel_size) is float and series.pixel_size == 1.5
    assert hash(series.grid()) == hash(Grid((3, 4, 4), 1.5))


def test_views_are_chosen_by_index_or_mask():
    series = TiltSeries(torch.rand(5, 3, 4), torch.arange(5.0), sections=(3, 4, 5, 8, 9))
    for chosen in ([3, 1], np.array([3, 1]), torch.tensor([3, 1]), [-2, -4]):
        some = series.select(chosen)
        assert some.angles.tolist() == [3, 1] and some.sections == (8, 4)
        assert torch.equal(some.images, series.images[:, [3, 1]])
    assert series.select(series.angles > 2).angles.tolist() == [3, 4]
    assert series.select([True, False, True, False, False]).sections == (3, 5)
    assert Quadrature.name != Joint.name
