"""The C allocator of a worker and of the monitor: large blocks go back to the system as soon as they are freed.

Verifying a password takes 19 MiB in a thread. glibc keeps such a block for ever, once in each thread's arena, because
it raises the size from which it maps blocks apart to the largest that was ever freed (mallopt(3), M_MMAP_THRESHOLD).
Measured: 24 verifications on 4 threads leave 76 MiB behind; with a threshold that stays, none. The monitor makes pages
of megabytes in threads: of 2,000 histograms, 8 MiB less.

Each thread takes smaller blocks from an arena that it shares with few others, and what it frees stays there. The
monitor makes each page in another thread: with as many arenas as there may be, one page after the other leaves its
blocks in all of them.
"""

import ctypes
import sys

M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
THRESHOLD_BYTES = 1 << 20


def return_large_blocks() -> None:
    """Map blocks of a mebibyte and more apart. Once, at the start of a process; does nothing without glibc."""
    _set(M_MMAP_THRESHOLD, THRESHOLD_BYTES)


def share_one_arena() -> None:
    """Have all threads take blocks from one arena, before they are started: what one has freed, the others use again.
    For processes whose threads wait for the interpreter, and so never for an arena."""
    _set(M_ARENA_MAX, 1)


def _set(parameter: int, value: int) -> None:
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(parameter, value)
