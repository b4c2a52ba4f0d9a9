"""How this process treats memory that it has done with."""

from __future__ import annotations

import ctypes
from contextlib import suppress

M_MMAP_THRESHOLD = -3  # of <malloc.h>
LARGE = 1 << 20  # bytes


def return_large_blocks() -> None:
    """Large blocks go back to the machine when they are freed.

    Left alone, GNU's allocator raises its idea of "large" up to 32 MiB, and keeps what is smaller:
    the images of one step, many times over.
    """
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL("libc.so.6").mallopt(M_MMAP_THRESHOLD, LARGE)
