"""One checkpoint, one file: safetensors, with the plain values as JSON and a sha256 of it all.

Written here, not by the library, to hold one tensor at a time in the host's memory, and to tell a
full disk by its name. Any reader of safetensors can open it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from tomoinr.checkpoint.nested import flattened, restored
from tomoinr.errors import TomoinrError, reason

TYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
BEGINNING = b'{"__metadata__":{"sha256":"'  # of the header; a length of eight bytes comes before it
BLANK = b"0" * 64  # in the checksum's place while it is taken
PLACE = slice(8 + len(BEGINNING), 8 + len(BEGINNING) + len(BLANK))
PORTION = 1 << 22  # bytes read at once


class Damaged(TomoinrError):
    """A file that is not, or not any more, what was written."""


class Contents:
    """What a file is to hold, ready to be written."""

    def __init__(self, value: Any) -> None:
        plain, tensors = flattened(value)
        # Larger numbers first, so that each begins at a multiple of its size.
        self._tensors = sorted(tensors.items(), key=lambda pair: -pair[1].element_size())
        self._header = _header(json.dumps(plain), dict(self._tensors))

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self._header) + sum(t.numel() * t.element_size() for _, t in self._tensors)

    def write(self, path: Path) -> None:
        """Everything, then the checksum into its place."""
        digest = hashlib.sha256()
        with path.open("wb") as file:
            for part in self._parts():
                digest.update(part)
                file.write(part)
            file.seek(PLACE.start)
            file.write(digest.hexdigest().encode())

    def _parts(self) -> Iterator[bytes | memoryview]:
        yield self._header
        for _, tensor in self._tensors:
            yield tensor.cpu().contiguous().view(-1).view(torch.uint8).numpy().data


def read(path: Path) -> Any:
    """What was written; refused if a single bit is not as it was."""
    try:
        if not _intact(path):
            raise Damaged(f"{path}: damaged: its checksum is another")
        with safe_open(path, "pt") as file:
            # Cloned: else a tensor would be a window on a file that may go.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
            return restored(json.loads(file.metadata()["state"]), tensors)
    except (OSError, SafetensorError) as error:
        raise Damaged(f"{path}: cannot be read: {reason(error)}") from None


def _header(plain: str, tensors: Mapping[str, Tensor]) -> bytes:
    """Its length, then names, types, shapes and places of tensors, and the plain values."""
    table: dict[str, Any] = {"__metadata__": {"sha256": BLANK.decode(), "state": plain}}
    end = 0
    for name, tensor in tensors.items():
        if tensor.dtype not in TYPES:
            raise TomoinrError(f"a checkpoint cannot hold the {tensor.dtype} at '{name}'")
        start, end = end, end + tensor.numel() * tensor.element_size()
        entry = {"dtype": TYPES[tensor.dtype], "shape": list(tensor.shape)}
        table[name] = entry | {"data_offsets": [start, end]}
    text = json.dumps(table, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _intact(path: Path) -> bool:
    """Whether the file is what its checksum says."""
    with path.open("rb") as file:
        first = file.read(PORTION)
        digest = hashlib.sha256(first[: PLACE.start] + BLANK + first[PLACE.stop :])
        while portion := file.read(PORTION):
            digest.update(portion)
    return first[PLACE] == digest.hexdigest().encode()
