"""A value in a file that the processes of a node map into memory: one copy for all of them."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

LARGE = 1 << 16  # bytes; smaller tensors are pickled with the rest
ALIGNED = 64  # bytes
PLACES = (Path("/dev/shm"), Path(tempfile.gettempdir()))  # memory first
ROOM = 1.1  # times the size must be free
LAST = 8  # bytes that say how long the rest is


class _Packer(pickle.Pickler):
    """Leaves large tensors out, and says where they will be."""

    def __init__(self, rest: io.BytesIO) -> None:
        super().__init__(rest, pickle.HIGHEST_PROTOCOL)
        self.tensors: list[Tensor] = []
        self.size = 0

    def persistent_id(self, value: Any) -> Any:
        """Type, shape and place in the file of a large tensor."""
        if not isinstance(value, Tensor) or value.device.type != "cpu" or _kept(value) < LARGE:
            return None
        start = self.size
        self.tensors.append(value.detach().contiguous())
        self.size += -(-value.nbytes // ALIGNED) * ALIGNED
        return value.dtype, tuple(value.shape), start


def _kept(value: Tensor) -> int:
    """Bytes that would be pickled: all that a view is of."""
    return value.untyped_storage().nbytes()


class _Unpacker(pickle.Unpickler):
    """Finds large tensors in the mapped file."""

    def __init__(self, rest: bytes, mapped: Tensor) -> None:
        super().__init__(io.BytesIO(rest))
        self._mapped = mapped

    def persistent_load(self, key: Any) -> Tensor:
        """A view of the file."""
        dtype, shape, start = key
        size = torch.Size(shape).numel() * dtype.itemsize
        return self._mapped[start : start + size].view(dtype).view(shape)


def packed(value: Any) -> Path:
    """A new file: large tensors, all the rest pickled, and its length. The caller deletes it."""
    text = io.BytesIO()
    packer = _Packer(text)
    packer.dump(value)
    rest = text.getvalue()
    needed = ROOM * (packer.size + len(rest))
    place = next((p for p in PLACES if _room(p) > needed), PLACES[-1])
    handle, name = tempfile.mkstemp(prefix="tomoinr-", dir=place)
    try:
        with os.fdopen(handle, "wb") as file:
            for tensor in packer.tensors:
                file.write(tensor.reshape(-1).view(torch.uint8).numpy().data)
                file.write(bytes(-tensor.nbytes % ALIGNED))
            file.write(rest + len(rest).to_bytes(LAST, "little"))
    except BaseException:
        Path(name).unlink()
        raise
    return Path(name)


def unpacked(path: Path) -> Any:
    """The value; what a process writes into its large tensors stays its own."""
    size = path.stat().st_size
    mapped = torch.from_file(str(path), shared=False, size=size, dtype=torch.uint8)
    end = size - LAST
    length = int.from_bytes(mapped[end:].numpy().tobytes(), "little")
    return _Unpacker(mapped[end - length : end].numpy().tobytes(), mapped).load()


def _room(place: Path) -> int:
    return shutil.disk_usage(place).free if place.is_dir() else 0
