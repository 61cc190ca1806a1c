"""Files without a name, for memory that the processes of a server share: rate limits, metrics, levels of the log.

A foundation. A process that inherits the descriptor, or gets it by pickling, maps the same memory.
"""

import os
import tempfile
from collections.abc import Callable
from multiprocessing.reduction import DupFd
from typing import Any, TypeVar

T = TypeVar("T")


def shared_file(name: str, size: int) -> int:
    """The descriptor of a new file of `size` zero bytes; `name` is what the system shows."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
    else:
        descriptor, path = tempfile.mkstemp(prefix=name)
        os.unlink(path)
    os.ftruncate(descriptor, size)
    return descriptor


def reduced(make: Callable[[int], T], descriptor: int) -> tuple[Callable[..., T], tuple[Any, ...]]:
    """What `__reduce__` gives for an object on a shared file: `make` makes it again, in a process that is spawned."""
    return _received, (make, DupFd(descriptor))


def _received(make: Callable[[int], T], descriptor: Any) -> T:
    return make(descriptor.detach())
