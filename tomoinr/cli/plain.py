"""Values as JSON has them."""

from __future__ import annotations

import json
import math
from typing import Any

import typer


def plain(value: Any) -> Any:
    """The same, with none for every number that JSON has no word for, and text for all else."""
    if isinstance(value, dict):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | None) else str(value)


def tell(value: dict[str, Any]) -> None:
    """One JSON object on stdout."""
    typer.echo(json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False))
