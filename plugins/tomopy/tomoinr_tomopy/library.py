"""TomoPy itself, which pip cannot install: imported late, and missed with instructions."""

from __future__ import annotations

import inspect
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from tomoinr.errors import TomoinrError

ADVICE = "conda install -c conda-forge tomopy, into the environment that holds tomoinr"
NEEDED = {"center", "sinogram_order", "init_recon", "ncore"}  # arguments of its `recon`


def installed() -> str:
    """The version, or that there is none."""
    try:
        require()
        return version("tomopy")
    except TomoinrError:
        return "not installed"
    except PackageNotFoundError:  # not by pip
        return "installed"


def require() -> None:
    """Refuse to go on where TomoPy is not installed; its slow import is left for later."""
    spec = find_spec("tomopy")
    if spec is None or spec.origin is None:  # a mere folder of that name can be imported too
        raise TomoinrError(f"TomoPy is not installed: {ADVICE}")
    if spec.submodule_search_locations and not Path(spec.origin).with_name("recon").is_dir():
        raise TomoinrError(f"what is installed as tomopy ({spec.origin}) is not TomoPy: {ADVICE}")


def load() -> ModuleType:
    """The library."""
    require()
    try:
        import tomopy
    except (ImportError, OSError) as error:  # OSError: a shared library of its own is missing
        raise TomoinrError(f"TomoPy is installed but broken ({error}): {ADVICE}") from None
    module: ModuleType = tomopy
    recon = getattr(module, "recon", None)
    lacking = NEEDED - set(inspect.signature(recon).parameters if callable(recon) else ())
    if lacking:
        raise TomoinrError(
            f"the TomoPy installed is too old: its recon knows no {', '.join(sorted(lacking))}; "
            f"{ADVICE}"
        )
    return module
