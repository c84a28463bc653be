"""How a worker's process keeps its memory: settings of Python's collector and of the C library's malloc."""

import ctypes
import gc
from typing import Final

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # of mallopt(3)
_MIB: Final = 1 << 20
KEPT: Final = {_MMAP_THRESHOLD: 32 * _MIB, _TRIM_THRESHOLD: 64 * _MIB, _TOP_PAD: 4 * _MIB}


def settle() -> None:
    """Make the process fit for years of micro-batches; call it once, when it has started.

    Python's cyclic collector looks less often, and never at what the start has made: a stage holds thousands
    of small objects for a moment, hardly any in cycles, and with the defaults a seventh of fetch's time went
    into looking at them. And malloc keeps what it is given back, up to 64 MiB: a micro-batch's buffers of
    some hundred KiB were else fetched from the system, and zeroed by it, again and again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 50)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's; others do without
    if mallopt is not None:
        for name, value in KEPT.items():
            mallopt(name, value)
