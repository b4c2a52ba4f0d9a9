"""The options of an ASTRA algorithm: names and values as they arrive, made plain again.

ASTRA turns truth values into 0 and 1, none into 'None' and digits into numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_type_hints

from tomoinr.errors import TomoinrError
from tomoinr.interfaces import Solver
from tomoinr.options import option, parse
from tomoinr.plugins import Plugins

# For ASTRA's own algorithms; `create_reconstruction` always says it.
IDLE = {"ProjectionOrder"}


@dataclass(frozen=True)
class Wishes:
    """What a user may ask for; other names are options of the method."""

    method: str = option("", "the solver: auto, sirt, tv, joint, ...; none: the algorithm's own")
    quality: Literal["fast", "default", "best"] = option("default", "time against quality")
    steps: int | None = option(None, "steps of a run; none: as run(n) says", low=1)
    seed: int = option(0, "of every random number", low=0)
    poses: str | None = option(None, "what is learned of the views: fixed, shift, rigid, ...")
    volume: str = option("voxels", "the unknown: voxels, siren, ...")
    projector: str | None = option(None, "none: what suits the method and the geometry")
    GPUindex: int | None = option(None, "the GPU; none: the first, or the CPU without one", low=0)
    ReconstructionMaskId: int | None = option(None, "voxels where it is zero stay as they are")
    SinogramMaskId: int | None = option(None, "pixels where it is zero say nothing")
    MinConstraint: float | None = option(None, "the lowest density")
    MaxConstraint: float | None = option(None, "the highest density")


@dataclass(frozen=True)
class Order:
    """Wishes, and the solver that they lead to, with its options."""

    wishes: Wishes
    solver: type[Solver]
    options: Mapping[str, Any]


def read(config: Mapping[str, Any], usual: str, plugins: Plugins, who: str) -> Order:
    """Check what ASTRA hands over; a misspelt name is refused."""
    given = {k: v for k, v in config.get("options", {}).items() if k not in IDLE and v != "None"}
    given = _bounds(given)
    names = {field.name for field in fields(Wishes)}
    own = {name: value for name, value in given.items() if name in names}
    wishes = parse(Wishes, _plain(Wishes, own), who)
    solver = plugins.find("solver", wishes.method or usual).cls
    rest = {name: value for name, value in given.items() if name not in names}
    _check_names(rest, solver, names, who)
    options = _plain(solver.Options, rest)
    options = {**solver.presets.get(wishes.quality, {}), **options}
    parse(solver.Options, options, f"{who}, method '{solver.name}'")
    return Order(wishes, solver, options)


def _bounds(given: Mapping[str, Any]) -> dict[str, Any]:
    """ASTRA's older way of giving a bound, in two parts, as the newer one."""
    plain = dict(given)
    for which in ("Min", "Max"):
        used = plain.pop(f"Use{which}Constraint", "no")
        value = plain.pop(f"{which}ConstraintValue", None)
        if used in ("yes", 1) and value is not None:
            plain[f"{which}Constraint"] = value
    return plain


def _check_names(rest: Mapping[str, Any], solver: type[Solver], own: set[str], who: str) -> None:
    theirs = {field.name for field in fields(solver.Options)} - {"steps"}
    unknown = sorted(rest.keys() - theirs)
    if unknown:
        raise TomoinrError(
            f"{who} has no option '{unknown[0]}'; there are {', '.join(sorted(own))} and, for the "
            f"method '{solver.name}', {', '.join(sorted(theirs)) or 'none'}"
        )


def _plain(options: type, table: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the types that the options want, where ASTRA changed them."""
    hints = get_type_hints(options)
    return {name: _as(value, hints[name]) for name, value in table.items()}


def _as(value: Any, hint: Any) -> Any:
    if hint is bool and value in (0, 1):
        return bool(value)
    if isinstance(value, float) and value.is_integer() and hint in (int, int | None):
        return int(value)  # large numbers arrive as floats
    return value
