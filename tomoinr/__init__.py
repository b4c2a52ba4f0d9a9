"""tomoinr: electron tomography from one tilt series, with no training data.

What `__init__.pyi` declares is imported when it is first asked for, so that help and completion
need not wait for torch.
"""

import logging
from importlib import import_module
from typing import Any

from tomoinr.version import __version__

_FROM = {
    "api": "reconstruct",
    "data": "Reconstruction Record TiltSeries",
    "errors": "TomoinrError",
    "geometry": "Grid Pixels Poses Views place",
    "hookspecs": "hookimpl",
    "interfaces": "Ability PoseModel Prior Problem Projector Solver Volume",
    "options": "option",
    "plugins": "Plugins",
}
_HOME = {name: module for module, names in _FROM.items() for name in names.split()}

__all__ = ["__version__", *_HOME]

logging.getLogger(__name__).addHandler(logging.NullHandler())  # who listens is for programs


def __getattr__(name: str) -> Any:
    """A name of the page above, or a module of the package."""
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    if not name.startswith("_"):
        try:
            return import_module(f"{__name__}.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"{__name__}.{name}":
                raise
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
