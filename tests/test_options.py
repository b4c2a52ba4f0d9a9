"""Options: what a table may hold, what it becomes, and what a wrong one is told."""

import dataclasses
import math
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomoinr import TomoinrError
from tomoinr.options import NoOptions, describe, option, parse, table


@dataclasses.dataclass(frozen=True)
class Sample:
    rate: float = option(0.5, "a number", low=0, high=10)
    steps: int = option(3, "a count", low=1)
    fast: bool = option(False, "a choice of two")
    kind: Literal["a", "b", 3] = option("a", "a choice of three")
    name: str = option("x", "a word")
    depth: int | None = option(None, "a count, or none", low=1)
    pair: tuple[int, float] = option((1, 2.0), "two numbers")
    levels: tuple[float, ...] = option((), "some numbers", low=-1, high=1)
    either: str | tuple[float, ...] | None = option(None, "a word, numbers, or none")


@dataclasses.dataclass(frozen=True)
class Picky:
    """A stranger's options with checks of their own."""

    low: int = option(0, "must be below high")
    high: int = option(1, "must be above low")

    def __post_init__(self):
        if self.low >= self.high:
            raise ValueError("low must be below high")


@pytest.mark.parametrize(
    ("name", "given_", "became"),
    [
        ("rate", 3, 3.0),
        ("rate", np.float32(0.25), 0.25),
        ("rate", 10, 10.0),
        ("steps", np.int64(7), 7),
        ("fast", True, True),
        ("kind", "b", "b"),
        ("kind", 3, 3),
        ("depth", None, None),
        ("depth", 4, 4),
        ("pair", [2, 3], (2, 3.0)),
        ("levels", [], ()),
        ("levels", [1, -1, 0.5], (1.0, -1.0, 0.5)),
        ("either", "word", "word"),
        ("either", [1, 2], (1.0, 2.0)),
        ("either", None, None),
    ],
)
def test_what_fits(name, given_, became):
    value = getattr(parse(Sample, {name: given_}, "part"), name)
    assert value == became and type(value) is type(became)
    if isinstance(became, tuple):
        assert [type(v) for v in value] == [type(v) for v in became]


@pytest.mark.parametrize(
    ("name", "given_", "says"),
    [
        ("rate", "fast", "must be float, got 'fast'"),
        ("rate", True, "must be float, got True"),
        ("rate", [1.0], "must be float"),
        ("rate", None, "must be float, got None"),
        ("rate", -0.1, "must be at least 0, got -0.1"),
        ("rate", 10.5, "must be at most 10, got 10.5"),
        ("rate", math.nan, "must be finite, got nan"),
        ("rate", math.inf, "must be finite, got inf"),
        ("steps", 1.0, "must be int, got 1.0"),
        ("steps", True, "must be int, got True"),
        ("steps", 0, "must be at least 1"),
        ("fast", 1, "must be bool, got 1"),
        ("fast", "true", "must be bool"),
        ("kind", "c", "must be 'a' | 'b' | 3, got 'c'"),
        ("kind", 3.0, "must be 'a' | 'b' | 3"),
        ("kind", ["a"], "must be 'a' | 'b' | 3"),
        ("name", 3, "must be str"),
        ("depth", 0, "must be at least 1"),
        ("depth", 2.5, "must be int | none"),
        ("pair", [1], "must be (int, float)"),
        ("pair", [1.5, 2], "must be (int, float)"),
        ("pair", "12", "must be (int, float)"),
        ("levels", [0, 2], "must be at most 1"),
        ("levels", [math.nan], "must be finite"),
        ("levels", ["a"], "must be (float, …)"),
        ("either", 5, "must be str | (float, …) | none"),
        ("rte", 1, "has no option 'rte'; there are depth, either, fast, kind, levels"),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(name, given_, says):
    with pytest.raises(TomoinrError) as caught:
        parse(Sample, {name: given_}, "the part 'sample'")
    message = str(caught.value)
    assert message.startswith("the part 'sample'") and name in message and "\n" not in message
    assert says in message


def test_the_nearest_name_is_offered():
    with pytest.raises(TomoinrError, match=r"Did you mean 'steps'\?"):
        parse(Sample, {"step": 1}, "part")
    with pytest.raises(TomoinrError, match="part has no option 'a'; it has none"):
        parse(NoOptions, {"a": 1}, "part")


def test_a_strangers_own_check_is_told_with_its_part():
    with pytest.raises(TomoinrError, match=r"^part: low must be below high$"):
        parse(Picky, {"low": 3}, "part")


def test_every_option_is_described():
    rows = {row.name: row for row in describe(Sample)}
    assert list(rows) == [field.name for field in dataclasses.fields(Sample)]
    assert rows["kind"].type == "'a' | 'b' | 3" and rows["depth"].type == "int | none"
    assert rows["pair"].type == "(int, float)" and rows["levels"].type == "(float, …)"
    assert rows["steps"].default == 3 and rows["steps"].meaning == "a count"
    assert describe(NoOptions) == []


TEXT = st.text('aé"\\\n ', max_size=4)
LEVELS = st.lists(st.floats(-1, 1), max_size=4).map(tuple)
SAMPLES = st.builds(
    Sample,
    rate=st.floats(0, 10),
    steps=st.integers(1, 10**6),
    fast=st.booleans(),
    kind=st.sampled_from(["a", "b", 3]),
    name=TEXT,
    depth=st.none() | st.integers(1, 99),
    pair=st.tuples(st.integers(), st.floats(allow_nan=False, allow_infinity=False)),
    levels=LEVELS,
    either=st.none() | TEXT | LEVELS,
)


@given(SAMPLES)
def test_a_table_holds_all_there_is(sample):
    assert parse(Sample, table(sample), "part") == sample
    assert table(parse(Sample, table(sample), "part")) == table(sample)


def test_every_part_of_this_installation_keeps_its_promises(plugins):
    """Frozen options, each with a default and a meaning, that survive a table; presets that fit."""
    for part in plugins.parts():
        for described in describe(part.cls.Options):
            assert described.meaning and described.default is not dataclasses.MISSING
        for preset in ({}, *part.cls.presets.values()):
            made = parse(part.cls.Options, preset, part.name)
            assert parse(part.cls.Options, table(made), part.name) == made
