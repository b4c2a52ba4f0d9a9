"""rosettasciio itself: imported late, and missed with an instruction."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from tomoinr.errors import TomoinrError, reason

ADVICE = "pip install 'rosettasciio>=0.6' dask h5py, into the environment that holds tomoinr"
NEEDED = {"rsciio": "rosettasciio", "dask": "dask", "h5py": "h5py"}


def require() -> None:
    """Refuse to go on where a library is missing; their slow imports are left for later."""
    for module, name in NEEDED.items():
        try:
            spec = find_spec(module)
        except ValueError:  # of a module that was blocked
            spec = None
        if spec is None or spec.origin is None:  # a mere folder of that name can be imported too
            raise TomoinrError(f"{name} is not installed: {ADVICE}")


def file_reader(format_: str) -> Callable[..., list[dict[str, Any]]]:
    """Its function that reads one format."""
    require()
    try:
        reader: Callable[..., list[dict[str, Any]]] = import_module(f"rsciio.{format_}").file_reader
    except (ImportError, AttributeError, OSError) as error:
        raise TomoinrError(
            f"rosettasciio is installed but broken, or too old to read {format_} "
            f"({reason(error)}): {ADVICE}"
        ) from None
    return reader
