"""The C library's allocator, told to give large blocks back.

glibc raises the size from which a block is mapped on its own, and so returned when freed, up to 32 MB as such blocks
are freed, and keeps a heap for every eight threads or so a core: a server whose threads load and drop models then holds
twice what is in use (measured: 1,000 MB for 250 MB of models). Other C libraries are left alone.
"""

from __future__ import annotations

import ctypes

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8  # malloc.h
LARGE_BYTES = 1_000_000
"""A block from that size on is returned when it is freed."""
HEAPS = 2


def return_large_blocks() -> bool:
    """For a process of our own, at its start; False where the C library has no such thing."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_MMAP_THRESHOLD, LARGE_BYTES) and mallopt(_ARENA_MAX, HEAPS))
