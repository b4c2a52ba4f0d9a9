"""quantEM itself, which is large and optional: imported late, and missed with instructions."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from tomoinr.errors import TomoinrError, reason

ADVICE = "pip install 'tomoinr-quantem[quantem]', into the environment that holds tomoinr"


def installed() -> str:
    """The version, or that there is none."""
    try:
        require()
        return version("quantem")
    except TomoinrError:
        return "not installed"
    except PackageNotFoundError:  # not by pip
        return "installed"


def require() -> None:
    """Refuse to go on where quantEM is not installed; its slow import is left for later."""
    try:
        spec = find_spec("quantem")
    except ValueError:  # of a module that was blocked
        spec = None
    if spec is None or spec.origin is None:  # a mere folder of that name can be imported too
        raise TomoinrError(f"quantEM is not installed: {ADVICE}")


def part(module: str, name: str) -> Any:
    """A class of quantEM, by the module that holds it."""
    require()
    try:
        return getattr(import_module(f"quantem.{module}"), name)
    except (ImportError, AttributeError, OSError) as error:
        raise TomoinrError(
            f"the quantEM installed is broken, or too old or new to have {name} "
            f"({reason(error)}): {ADVICE}"
        ) from None
