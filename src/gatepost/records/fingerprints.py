"""What errors of one group have in common: their fingerprint."""

import re
import traceback
from hashlib import blake2b
from types import FrameType

from gatepost.sources import is_own

FUNCTIONS_MAX = 40
OTHERS_FUNCTIONS = 3
"""Where none of the user's own functions is on the way, so many of others count."""

_DIGITS = re.compile(r"[0-9]+")


def fingerprint_of(error: BaseException) -> tuple[str, str]:
    """The fingerprint of an error, 16 hexadecimal digits, and the innermost function that counts for it.

    It is made of the type and the functions of the user's own code in the traceback. Lines, values and digits do not
    count: an error keeps its fingerprint where code above it grows, and whatever row it met.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    counted = [frame for frame in frames if is_own(frame.f_code.co_filename)] or frames[-OTHERS_FUNCTIONS:]
    functions = [_function(frame) for frame in counted[-FUNCTIONS_MAX:]]
    text = _DIGITS.sub("", "\n".join([type_name(error), *functions]))
    return blake2b(text.encode(errors="replace"), digest_size=8).hexdigest(), functions[-1] if functions else ""


def type_name(error: BaseException) -> str:
    """The type of an error, as tracebacks name it."""
    of = type(error)
    return of.__qualname__ if of.__module__ == "builtins" else f"{of.__module__}.{of.__qualname__}"


def _function(frame: FrameType) -> str:
    return f"{frame.f_globals.get('__name__', '?')}.{frame.f_code.co_qualname}"
