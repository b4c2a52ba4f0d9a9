"""Several signals of one specimen: gathered, each as it was recorded, written and read again."""

import json
import re
import sys
import tomllib

import numpy as np
import pytest
import torch

import tomoinr
from tomoinr import TiltSeries, TomoinrError
from tomoinr.builtin.elements import counted, elements, haadf
from tomoinr.builtin.fused.leading import leading, shared
from tomoinr.cli import main
from tomoinr.data import Alignment, Channel
from tomoinr.geometry import Poses
from tomoinr.io import Signal, gather, results
from tomoinr.io.inspect import inspect
from tomoinr.recipe import Recipe
from tomoinr.trust import assess, held_out
from tomoinr.trust.again import one_channel

ANGLES = tuple(range(-60, 61, 10))
DOSES = {"HAADF": 100.0, "Fe": 1.0, "C": 0.5}


@pytest.fixture(scope="module")
def parts():
    """HAADF at all tilts; iron at every second; carbon in pixels twice as large."""
    made = counted(16, 0, ANGLES, DOSES, coarser={"C": 2}, fewer={"Fe": 2})
    return {name: one.series for name, one in made.items()}


@pytest.fixture(scope="module")
def series(parts):
    return gather(parts)


@pytest.fixture
def files(parts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, one in parts.items():
        one.save(tmp_path / f"{name.lower()}.mrc")
    return tmp_path


def call(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["tomoinr", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_each_channel_comes_out_as_it_went_in(parts, series):
    assert series.channels == tuple(parts) and series.shape == (13, 16, 16)
    assert series.uneven == ("Fe", "C")
    for i, one in enumerate(parts.values()):
        own = series.channel(i)
        assert torch.equal(own.images, one.images) and torch.equal(own.angles, one.angles)
        assert own.pixel_size == one.pixel_size * series.pixel_size
    fewer = series.select(range(1, 13))
    assert fewer.channel(1).angles.tolist() == list(ANGLES[2::2])


def test_tilts_are_one_where_they_are_recorded_alike():
    images = torch.rand(3, 4, 4)
    first = TiltSeries(images, [-10.0, 0.0, 10.0])
    other = TiltSeries(images + 1, [0.04, 5.0, 10.02])
    both = gather({"a": first, "b": other})
    assert both.angles.tolist() == [-10, 0, 10, 5] and both.sections == (0, 1, 2, 3)
    assert both.views_of(0) == [0, 1, 2] and both.views_of(1) == [1, 2, 3]
    assert torch.equal(both.images[1, 1], images[0] + 1)
    twice = gather({"a": first, "b": TiltSeries(images[:2], [0.0, 0.05])})
    assert len(twice.angles) == 4  # one image of a channel is one image


def test_a_field_in_angstrom_says_how_large_pixels_are():
    fine = TiltSeries(torch.rand(3, 8, 8), [0, 1, 2])
    coarse = TiltSeries(torch.rand(3, 4, 4), [0, 1, 2], pixel_size=6.0)
    both = gather({"fine": fine, "coarse": coarse})
    assert both.pixel_size == 3 and both.channel(1).pixel_size == 6
    assert both.channel(0).shape[2] == 8 and both.grid().spacing == 3


def test_what_does_not_fit_is_refused_in_a_line():
    def make(n=4, size=1.0, **more):
        return TiltSeries(torch.rand(3, n, n), [0, 1, 2], size, source=f"{n}.mrc", **more)

    wrong = [
        ({"a": make(4), "b": make(3)}, {}, "b' has 3 × 3 pixels and 4.mrc 4 × 4.*same field"),
        ({"a": make(4, 2.0), "b": make(4, 3.0)}, {}, "'b' shows a field 12 Å wide and 'a' .* 8 Å"),
        ({"a": make(tilt_axis=3.0), "b": make(tilt_axis=4.0)}, {}, r"tilt axis \(a 3°, b 4°\)"),
        ({"a": make()}, {"signals": {"c": Signal()}}, "no channel 'c'; there are a"),
        ({"a": make()}, {"poses_from": ("c",)}, "no channel 'c'"),
        ({"a": make()}, {"signals": {"a": Signal(weight=0.0)}}, "'a': weight must be above 0"),
        ({"a": make()}, {"signals": {"a": Signal(noise="white")}}, "noise is one of measured,"),
    ]
    for series, more, words in wrong:
        with pytest.raises(TomoinrError, match=words) as refused:
            gather(series, **more)
        assert "\n" not in str(refused.value)
    with pytest.raises(TomoinrError, match="recorded are"):
        TiltSeries(torch.rand(2, 3, 4, 4), [0, 1, 2], channels=("a", "b"), recorded=(Channel("a"),))


@pytest.mark.parametrize("solver", ["tv", "sirt", "auto"])
def test_solvers_that_want_channels_alike_refuse_others(series, plugins, solver):
    with pytest.raises(TomoinrError, match=f"^{solver} takes every channel at every tilt.*'fused'"):
        tomoinr.reconstruct(series, solver=solver, poses="fixed", plugins=plugins)


def test_joint_takes_missing_tilts_and_refuses_coarser_pixels(parts, series, plugins):
    dark = parts["HAADF"]
    two = gather({"all": dark, "half": dark.select(range(0, 13, 2))})
    options = {"poses": "fixed", "plugins": plugins, "steps": 40, "priors": ()}
    whole, half = tomoinr.reconstruct(two, solver="joint", **options).voxels
    # The images that it lacks are zero: taken for real, they would halve it.
    assert half.sum() == pytest.approx(whole.sum(), rel=0.1)
    with pytest.raises(TomoinrError, match="C are coarser: bin the others"):
        tomoinr.reconstruct(series, solver="joint", **options)


def test_the_strongest_signal_leads_unless_another_is_named(parts):
    assert leading(gather(parts)) == 0
    assert leading(gather(dict(reversed(parts.items())))) == 2
    assert leading(gather(parts, poses_from=("Fe",))) == 1


def test_poses_of_one_channel_serve_all_tilts():
    first = TiltSeries(torch.rand(3, 8, 8), [0.0, 10.0, 20.0])
    both = gather({"a": first, "b": TiltSeries(torch.rand(2, 8, 8), [5.0, 20.0])})
    shift = torch.tensor([[1.0, 0.0], [3.0, 2.0], [5.0, -2.0]])
    found = shared(
        both, lambda one: Alignment(Poses.of(one.angles.float(), 1.5, shift=shift), ("how",))
    )
    assert torch.allclose(found.poses.shift[:3], shift)
    assert found.poses.shift[3].tolist() == pytest.approx([2, 1])
    assert found.poses.angles().rotation.tolist() == pytest.approx([1.5] * 4, abs=1e-4)
    assert "a (the strongest signal); 1 images that it lacks" in found.notes[0]


def test_where_the_strongest_has_no_image_another_channel_named_places_it():
    first = TiltSeries(torch.rand(3, 8, 8), [0.0, 10.0, 20.0])
    parts = {"a": first, "b": TiltSeries(torch.rand(2, 8, 8), [5.0, 20.0])}

    def align(one):
        shift = torch.full((len(one.angles), 2), float(len(one.angles)))
        return Alignment(Poses.of(one.angles.float(), shift=shift), ("how",))

    found = shared(gather(parts, poses_from=("a", "b")), align)
    # Brought next to a's at 20°, where both are: by a move along x and z, and one along y.
    assert found.poses.shift[:3].flatten().tolist() == pytest.approx([3] * 6, abs=1e-5)
    assert found.poses.shift[3].tolist() == pytest.approx([2 + np.cos(np.deg2rad(15)), 3], 1e-4)
    assert found.notes == ("poses of all channels come from a and b (together)", "a: how", "b: how")


def test_haadf_hardly_sees_two_of_the_borders():
    made = elements((32, 32, 32), 0)
    seen = haadf(made)
    inside = (made["Fe"] + made["Co"] > 0.9) & (made["C"] < 0.01)
    assert seen[inside].std() / seen[inside].mean() < 0.06
    assert made["Fe"][inside].std() > 0.3
    coat = made["C"] > 0.9
    assert seen[coat].mean() < 0.15


FAST = ("--quality", "fast", "--trust", "none")


def test_files_of_channels_become_volumes_of_channels(files, monkeypatch, capsys):
    words = ["haadf.mrc", "--channel", "Fe=fe.mrc", "--channel", "C=c.mrc,noise=poisson,weight=2"]
    words += ["--poses-from", "haadf", "--out", "out", *FAST]
    assert call(monkeypatch, "reconstruct", *words) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "poses of all channels come from haadf (named for it)" in told
    assert "Fe: 7 images of 16 × 16, of 13 tilts in all" in told
    names = ("haadf", "Fe", "C")
    assert sorted(p.name for p in (files / "out").iterdir()) == sorted(
        [*results(names), "report.html"]
    )
    recipe = tomllib.loads((files / "out/recipe.toml").read_text("utf-8"))
    assert recipe["solver"]["name"] == "fused"
    by_name = {one["name"]: one for one in recipe["data"]["channel"]}
    assert by_name["C"]["noise"] == "poisson" and by_name["C"]["weight"] == 2
    assert by_name["haadf"]["poses"] is True and by_name["Fe"]["stack"] == "../fe.mrc"
    known = json.loads((files / "out/provenance.json").read_text("utf-8"))["inputs"]
    assert {"stack", "channel Fe", "channel C"} <= set(known)
    found = inspect(files / "out")
    assert found.is_volume and sorted(found.stack.channels) == sorted(names)
    assert call(monkeypatch, "info", "out") == 0
    assert "values (Fe)" in capsys.readouterr().out
    assert call(monkeypatch, "rerun", "out") == 0
    again = " ".join(capsys.readouterr().err.split())
    assert again.count("the volume is bit-identical") == 3


def test_bad_channels_end_in_a_line(files, monkeypatch, capsys):
    wrong = [
        (["--channel", "fe.mrc"], "give a name and a file, as in Ti=ti.mrc"),
        (["--channel", "Fe=no.mrc"], "no.mrc: there is no such file"),
        (["--channel", "Fe=fe.mrc,wieght=2"], "no option 'wieght'.*Did you mean 'weight'"),
        (["--channel", "Fe=fe.mrc,noise=white"], "'noise' must be"),
        (["--channel", "Fe=fe.mrc", "--channel", "Fe=c.mrc"], "two channels are called 'Fe'"),
        (["--channel", "Fe=fe.mrc", "--solver", "tv"], "tv takes every channel at every tilt"),
    ]
    for words, said in wrong:
        assert call(monkeypatch, "reconstruct", "haadf.mrc", *words, "--out", "out", *FAST) == 2
        told = " ".join(capsys.readouterr().err.split())
        assert "Traceback" not in told
        assert re.search(said, told), told
    assert not (files / "out").exists()


def test_a_recipe_of_channels_goes_to_text_and_back(tmp_path):
    text = """
[data]
stack = "haadf.mrc"
[[data.channel]]
name = "Ti"
stack = "ti.mrc"
angles = "ti.tlt"
noise = "poisson"
[[data.channel]]
name = "HAADF"
poses = true
"""
    path = tmp_path / "recipe.toml"
    path.write_text(text, "utf-8")
    recipe = Recipe.load(path)
    titanium, dark = recipe.data.channel
    assert titanium.stack == str(tmp_path / "ti.mrc") and titanium.angles == str(
        tmp_path / "ti.tlt"
    )
    assert dark.stack is None and dark.poses
    path.write_text(recipe.toml(), "utf-8")
    assert Recipe.load(path) == recipe
    for bad, words in (("channel = 3", "must be tables"), ("channel = [{nam='x'}]", "no option")):
        path.write_text(f"[data]\nstack='a.mrc'\n{bad}\n", "utf-8")
        with pytest.raises(TomoinrError, match=words):
            Recipe.load(path)


def test_what_would_lose_a_channels_own_tilts_is_refused(series, tmp_path):
    with pytest.raises(TomoinrError, match=r"Fe, C lack images or are coarser.*one by one"):
        series.save(tmp_path / "all.h5")
    series.channel(1).save(tmp_path / "fe.mrc")
    with pytest.raises(TomoinrError, match=r"held_out: Fe, C lack images.*series.channel\(0\)"):
        held_out(series, {"tv": {"solver": "tv"}})


@pytest.fixture(scope="module")
def result(series):
    return tomoinr.reconstruct(series, poses="fixed", quality="fast")


def test_writers_keep_channels(result, tmp_path):
    pytest.importorskip("tomoinr_formats")
    for suffix in ("emd", "zarr", "h5", "npz"):
        path = tomoinr.io.save(tmp_path / f"volume.{suffix}", result)
        stack = tomoinr.io.open_stack(path)
        assert stack.channels == ("HAADF", "Fe", "C")
    with pytest.raises(TomoinrError, match="holds one channel"):
        tomoinr.io.save(tmp_path / "volume.mrc", result)


def test_trust_judges_the_leading_channel_and_says_so(result):
    judged = assess(result)
    assert judged.channel == "HAADF" and "judged by HAADF alone" in str(judged)
    iron, carbon = one_channel(result, 1), one_channel(result, 2)
    assert iron.series.shape == (7, 16, 16) and len(iron.poses.shift) == 7
    assert carbon.voxels.shape == (8, 8, 8) and carbon.grid.spacing == 2
    assert np.isclose(carbon.voxels.mean(), result.voxels[2].mean(), rtol=1e-4)
    assert assess(result, channel=2).channel == "C"
