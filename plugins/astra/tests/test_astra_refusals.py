"""What our algorithms in ASTRA are told: options that arrive changed, and mistakes."""

import astra
import numpy as np
import pytest
import torch

import tomoinr_astra
from tomoinr import Plugins
from tomoinr_astra import scene, wishes
from tomoinr_astra.algorithms import in_ascii

ANGLES = np.linspace(-1, 1, 11)
BOX, DETECTOR = astra.create_vol_geom(8, 10), astra.create_proj_geom("parallel", 1.0, 10, ANGLES)
SOLID = astra.create_vol_geom(8, 10, 6)
ROWS = astra.create_proj_geom("parallel3d", 1, 1, 6, 10, ANGLES)
REFUSED = astra.log.AstraError


def refuse(message, config, name="TOMOINR-SIRT"):
    """The algorithm is not created, and says why."""
    with pytest.raises(REFUSED, match=message):
        astra.algorithm.create({"type": name, **config})


def numbers(given):
    return {"ProjectionDataId": given.data, "ReconstructionDataId": given.volume}


FANS = {
    "fanflat": (BOX, astra.create_proj_geom("fanflat", 1.0, 10, ANGLES, 50, 50)),
    "cone": (SOLID, astra.create_proj_geom("cone", 1, 1, 6, 10, ANGLES, 50, 50)),
    "cone_vec": (
        SOLID,
        astra.geom_2vec(astra.create_proj_geom("cone", 1, 1, 6, 10, ANGLES, 50, 50)),
    ),
}


@pytest.mark.parametrize("kind", FANS)
def test_beams_that_are_not_parallel_are_refused(kind):
    box, detector = FANS[kind]
    module = astra.data2d if kind == "fanflat" else astra.data3d
    data, volume = module.create("-sino", detector, 1), module.create("-vol", box, 0)
    config = {"ProjectionDataId": data, "ReconstructionDataId": volume}
    for name in ("TOMOINR", "TOMOINR-SIRT", "TOMOINR-TV"):
        refuse(f"{name} takes parallel beams .* geometry is '{kind}'", config, name)


def test_swapped_and_missing_numbers_are_refused(pipeline):
    flat, solid = pipeline(BOX, DETECTOR), pipeline(SOLID, ROWS)
    for given in (flat, solid):
        swapped = {"ProjectionDataId": given.volume, "ReconstructionDataId": given.data}
        refuse("these are swapped", swapped)
        refuse("both of one kind", numbers(given) | {"ReconstructionDataId": given.data})
    refuse("both be 2-D or both be 3-D", numbers(flat) | {"ProjectionDataId": solid.data})
    refuse("holds no data with the number 9999", numbers(flat) | {"ProjectionDataId": 9999})
    refuse("needs a ReconstructionDataId", {"ProjectionDataId": flat.data})


@pytest.mark.parametrize("rows", [5, 7, 12])
def test_rows_that_do_not_fit_the_slices_are_refused(pipeline, rows):
    given = pipeline(SOLID, astra.create_proj_geom("parallel3d", 1, 1, rows, 10, ANGLES))
    refuse(f"{rows} rows of 1, but the volume 6 slices", numbers(given))


def test_a_projector_of_another_geometry_is_refused(pipeline):
    given, other = pipeline(BOX, DETECTOR), astra.create_vol_geom(10, 8)
    right = astra.create_projector("line", DETECTOR, BOX)
    astra.algorithm.create({"type": "TOMOINR", **numbers(given), "ProjectorId": right})
    wrong = [
        astra.create_projector("line", DETECTOR, other),
        astra.create_projector("line", astra.create_proj_geom("parallel", 1.5, 10, ANGLES), BOX),
    ]
    for projector in wrong:
        refuse("projector's geometry is not", numbers(given) | {"ProjectorId": projector})
    refuse("no such projector: 9999", numbers(given) | {"ProjectorId": 9999})


@pytest.mark.parametrize("what", ["data", "volume"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_refused(pipeline, what, value):
    given = pipeline(SOLID, ROWS)
    number = given.create("TOMOINR-TV")
    astra.data3d.get_shared(getattr(given, what))[2, 3:5, 4] = value
    with pytest.raises(REFUSED, match=r"2 values of the (projection data|volume)"):
        astra.algorithm.run(number, 2)


def test_masks_of_another_size_are_refused(pipeline):
    given = pipeline(BOX, DETECTOR)
    number = given.create("TOMOINR-SIRT", ReconstructionMaskId=given.data)
    with pytest.raises(REFUSED, match=r"mask is \(11, 10\), but must be \(8, 10\)"):
        astra.algorithm.run(number)


def test_the_plan_cannot_leave_out_pixels(pipeline):
    given = pipeline(BOX, DETECTOR)
    number = given.create("TOMOINR", SinogramMaskId=given.data)
    with pytest.raises(REFUSED, match="use TOMOINR-SIRT, TOMOINR-TV"):
        astra.algorithm.run(number)


def test_unusual_geometries_are_refused():
    long_ = astra.create_vol_geom(8, 10, -5, 5, -8, 8)
    with pytest.raises(ValueError, match="equal edges, these have 1 x 2"):
        scene.scene(_told(long_), DETECTOR, "TOMOINR")
    for column in (4, 5):
        vectors = astra.geom_2vec(DETECTOR)["Vectors"].copy()
        vectors[3, column] *= 1.5
        uneven = astra.create_proj_geom("parallel_vec", 10, vectors)
        with pytest.raises(ValueError, match="skewed, or change their size"):
            scene.scene(_told(BOX), uneven, "TOMOINR")
    vectors[0, 0] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        scene.scene(_told(BOX), astra.create_proj_geom("parallel_vec", 10, vectors), "TOMOINR")


def _told(box):
    """The geometry as ASTRA tells it once it holds data."""
    return astra.data2d.get_geometry(astra.data2d.create("-vol", box))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"relaxaton": 0.5}, "no option 'relaxaton'; .*relaxation"),
        ({"method": "siert"}, "no solver is called 'siert'.*Did you mean 'sirt'"),
        ({"quality": "perfect"}, "'quality' must be 'fast' | 'default' | 'best'"),
        ({"steps": 0}, "'steps' must be at least 1"),
        ({"relaxation": 3.0}, "'relaxation' must be at most 2"),
        ({"positive": "maybe"}, "'positive' must be bool"),
    ],
)
def test_options_are_checked_before_anything_runs(pipeline, option, message):
    refuse(message, numbers(pipeline(BOX, DETECTOR)) | {"option": option})


def test_options_arrive_as_they_were_meant(pipeline):
    seen = {}

    class Spy:
        """Keeps what ASTRA hands over."""

        astra_name = "SPY"

        def astra_init(self, config):
            seen.update(config)

        def run(self, iterations):
            """Nothing."""

    astra.plugin.register(Spy)
    given = {
        "method": "tv",
        "positive": False,
        "seed": 2**40,
        "poses": None,
        "weight": np.float32(0.5),
        "UseMinConstraint": "yes",
        "MinConstraintValue": -1,
        "UseMaxConstraint": "no",
        "MaxConstraintValue": 255,
        "ProjectionOrder": "random",
    }
    config = numbers(pipeline(BOX, DETECTOR)) | {"options": given}
    astra.algorithm.create({"type": "SPY", **config})
    order = wishes.read(seen, "auto", Plugins(), "TOMOINR")
    assert order.solver.name == "tv"
    assert order.options == {"positive": False, "weight": 0.5}
    assert order.wishes == wishes.Wishes(method="tv", seed=2**40, MinConstraint=-1.0)


def test_steps_are_those_of_the_run_unless_said(pipeline):
    given = pipeline(BOX, DETECTOR)
    for name, option, iterations, steps in (
        ("TOMOINR-SIRT", {}, 1, 1),
        ("TOMOINR-SIRT", {}, 7, 7),
        ("TOMOINR-TV", {"steps": 4}, 1, 4),
        ("TOMOINR", {"method": "sirt"}, 1, 50),
        ("TOMOINR", {"method": "sirt"}, 9, 9),
    ):
        number = given.create(name, **option)
        astra.algorithm.run(number, iterations)
        assert astra.algorithm.get_plugin_object(number).history[-1].step == steps


def test_errors_are_one_line_of_ascii(caplog):
    def fail(error):
        raise error

    for error, said in (
        (ValueError("12 × 3 Å, naïve"), "12 x 3 A, na?ve"),
        (KeyError("a"), "KeyError: 'a'"),
        (KeyboardInterrupt(), "interrupted"),
    ):
        with pytest.raises(ValueError) as caught:
            in_ascii(fail)(error)
        assert str(caught.value) == said
        assert caught.value.__context__ is None
    assert "fail(error)" in caplog.text or "Traceback" in caplog.text


@pytest.mark.parametrize("version", ["2.4.1", "1.9.9.dev4"])
def test_versions_of_astra_that_differ_are_refused(monkeypatch, version):
    monkeypatch.setattr(astra, "__version__", version)
    with pytest.raises(ValueError, match=f"need ASTRA 2.5 or newer, this is {version}"):
        tomoinr_astra.register()


def test_seeds_count(pipeline):
    volumes = []
    for seed in (1, 1, 2):
        given = pipeline(BOX, DETECTOR)
        option = {"method": "joint", "volume": "siren", "seed": seed}
        volumes.append(torch.from_numpy(given.run("TOMOINR", 3, **option)))
    assert torch.equal(volumes[0], volumes[1])
    assert not torch.allclose(volumes[0], volumes[2], atol=1e-3)
