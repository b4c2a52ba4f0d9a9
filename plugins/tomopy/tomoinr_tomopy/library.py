"""TomoPy itself, which pip cannot install: imported late, and missed with instructions."""

from __future__ import annotations

from importlib.util import find_spec
from types import ModuleType

from tomoinr.errors import TomoinrError

ADVICE = "conda install -c conda-forge tomopy, into the environment that holds tomoinr"


def require() -> None:
    """Refuse to go on where TomoPy is not installed; its slow import is left for later."""
    spec = find_spec("tomopy")
    if spec is None or spec.origin is None:  # a mere folder of that name can be imported too
        raise TomoinrError(f"TomoPy is not installed: {ADVICE}")


def load() -> ModuleType:
    """The library."""
    require()
    try:
        import tomopy
    except ImportError as error:
        raise TomoinrError(f"TomoPy is installed but broken ({error}): {ADVICE}") from None
    module: ModuleType = tomopy
    return module
