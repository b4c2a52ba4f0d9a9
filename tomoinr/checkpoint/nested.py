"""Nested state as plain values and named tensors, and back.

`{"step": 3, 0: (tensor, None)}` becomes `{"dict": [["step", 3], [0, {"tuple": [{"tensor":
"0.0.0"}, null]}]]}` and `{"0.0.0": tensor}`: JSON keeps the one, safetensors the other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from tomoinr.errors import TomoinrError


def flattened(value: Any) -> tuple[Any, dict[str, Tensor]]:
    """The plain values of JSON, and the tensors by name; tensors are not copied."""
    tensors: dict[str, Tensor] = {}
    return _plain(value, (), tensors), tensors


def restored(plain: Any, tensors: Mapping[str, Tensor]) -> Any:
    """The way back; tensors are those given."""
    if not isinstance(plain, dict):
        return plain
    ((kind, inner),) = plain.items()
    match kind:
        case "tensor":
            return tensors[inner]
        case "complex":
            return torch.view_as_complex(tensors[inner])
        case "float":
            return float(inner)
        case "dict":
            return {restored(k, tensors): restored(v, tensors) for k, v in inner}
    made = {"list": list, "tuple": tuple}[kind]
    return made(restored(part, tensors) for part in inner)


def _plain(value: Any, path: tuple[str, ...], tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(float(value))}  # JSON has no word for it
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Tensor) and not value.is_sparse and not value.is_quantized:
        return _named(value.detach(), path, tensors)
    if isinstance(value, Mapping):
        pairs = [[_key(k, path), _plain(v, (*path, str(k)), tensors)] for k, v in value.items()]
        return {"dict": pairs}
    if isinstance(value, list | tuple):
        parts = [_plain(v, (*path, str(i)), tensors) for i, v in enumerate(value)]
        return {"tuple" if isinstance(value, tuple) else "list": parts}
    raise _refused(value, path)


def _named(tensor: Tensor, path: tuple[str, ...], tensors: dict[str, Tensor]) -> dict[str, str]:
    """Its name: a number, which makes it the only one of that name, and where it was found."""
    name = ".".join((str(len(tensors)), *path))
    kind = "complex" if tensor.is_complex() else "tensor"
    tensors[name] = torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor
    return {kind: name}


def _key(key: Any, path: tuple[str, ...]) -> Any:
    if isinstance(key, Tensor):
        raise _refused(key, path)
    return _plain(key, path, {})


def _refused(value: Any, path: tuple[str, ...]) -> TomoinrError:
    return TomoinrError(
        f"a checkpoint cannot hold the {type(value).__name__} at '{'.'.join(path)}' of the state; "
        "a state_dict is made of dicts, lists, tuples, dense tensors, numbers, text and None"
    )
