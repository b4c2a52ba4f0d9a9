"""Options: a table of plain values → a frozen dataclass, checked once, at the door."""

from __future__ import annotations

import dataclasses
import math
import numbers
import types
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from tomoinr.errors import TomoinrError, did_you_mean


def option(
    default: Any, meaning: str, *, low: float | None = None, high: float | None = None
) -> Any:
    """A field of an `Options` dataclass: default, meaning, and the range it may lie in."""
    return dataclasses.field(
        default=default, metadata={"meaning": meaning, "low": low, "high": high}
    )


@dataclasses.dataclass(frozen=True)
class NoOptions:
    """For parts with nothing to choose."""


class Described(NamedTuple):
    """One option, as shown to people."""

    name: str
    type: str
    default: Any
    meaning: str


def describe(options: type) -> list[Described]:
    """Every option of a part, in the order written."""
    hints = get_type_hints(options)
    return [
        Described(f.name, _type_name(hints[f.name]), f.default, f.metadata.get("meaning", ""))
        for f in dataclasses.fields(options)
    ]


def parse(options: type, table: Mapping[str, Any], where: str) -> Any:
    """Build `options` from a table; `where` names the part in the one-line error."""
    fields = {f.name: f for f in dataclasses.fields(options)}
    hints = get_type_hints(options)
    for name in table:
        if name not in fields:
            listed = f"there are {', '.join(sorted(fields))}" if fields else "it has none"
            raise TomoinrError(
                f"{where} has no option '{name}'; {listed}.{did_you_mean(name, fields)}"
            )
    values = {
        name: _checked(value, hints[name], fields[name], where) for name, value in table.items()
    }
    try:
        return options(**values)
    except (TypeError, ValueError) as error:  # of a stranger's own checks
        raise TomoinrError(f"{where}: {error}") from None


def table(options: Any) -> dict[str, Any]:
    """The way back: a table that `parse` turns into the same options; unset ones left out."""
    pairs = ((f.name, getattr(options, f.name)) for f in dataclasses.fields(options))
    return {k: _plain(v) for k, v in pairs if v is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return table(value) if dataclasses.is_dataclass(value) else value


def _checked(value: Any, hint: Any, field: dataclasses.Field[Any], where: str) -> Any:
    fits, value = _fit(value, hint)
    if not fits:
        raise TomoinrError(
            f"{where}: option '{field.name}' must be {_type_name(hint)}, got {value!r}"
        )
    low, high = field.metadata.get("low"), field.metadata.get("high")
    numbers = value if isinstance(value, tuple) else (value,)
    for number in numbers:
        if isinstance(number, float) and not math.isfinite(number):
            raise TomoinrError(f"{where}: option '{field.name}' must be finite, got {number}")
        if low is not None and number is not None and number < low:
            raise TomoinrError(
                f"{where}: option '{field.name}' must be at least {low}, got {value}"
            )
        if high is not None and number is not None and number > high:
            raise TomoinrError(
                f"{where}: option '{field.name}' must be at most {high}, got {value}"
            )
    return value


def _fit(value: Any, hint: Any) -> tuple[bool, Any]:
    """Whether a value is of a type, and the value as that type (int → float, list → tuple)."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        return any(type(value) is type(a) and value == a for a in args), value
    if origin in (Union, types.UnionType):
        tries = (_fit(value, arg) for arg in args)
        return next((t for t in tries if t[0]), (False, value))
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            return False, value
        kinds = args[:1] * len(value) if args[-1] is Ellipsis else args
        if len(kinds) != len(value):
            return False, value
        parts = [_fit(v, kind) for v, kind in zip(value, kinds, strict=True)]
        return all(ok for ok, _ in parts), tuple(v for _, v in parts)
    number = {int: numbers.Integral, float: numbers.Real}.get(hint)
    if number:  # numpy's too, but no truth values
        fits = isinstance(value, number) and not isinstance(value, bool)
        return fits, hint(value) if fits else value
    return (hint is Any or isinstance(value, hint)), value


def _type_name(hint: Any) -> str:
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " | ".join(repr(a) for a in args)
    if origin in (Union, types.UnionType):
        return " | ".join(_type_name(a) for a in args)
    if origin is tuple:
        return f"({', '.join('…' if a is Ellipsis else _type_name(a) for a in args)})"
    return "none" if hint is type(None) else str(getattr(hint, "__name__", hint))
