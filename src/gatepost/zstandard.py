"""zstd: the module of Python 3.14, or its backport before, and whole values compressed by it. A foundation."""

import sys

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["CHECKED_OPTIONS", "compressed", "decompressed", "zstd"]

LEVEL = 3
CHECKED_OPTIONS = {
    int(zstd.CompressionParameter.compression_level): LEVEL,
    int(zstd.CompressionParameter.checksum_flag): 1,
}
"""For frames that end with a checksum of their data, so that one that is damaged is not decompressed."""


def compressed(data: bytes, level: int = LEVEL) -> bytes:
    """The data as one frame."""
    return zstd.compress(data, level)


def decompressed(data: bytes) -> bytes:
    """What was compressed. Raises ValueError where it was not."""
    try:
        return zstd.decompress(data)
    except zstd.ZstdError as error:
        raise ValueError(str(error)) from None
