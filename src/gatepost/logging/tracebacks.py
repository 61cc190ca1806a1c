"""A traceback as it may be shown: without the values of variables, rows and statements, which may be secrets."""

import traceback
from collections.abc import Callable

from gatepost.logging.row_values import hidden_row_values, without_arguments
from gatepost.logging.text import shortened, without_secrets

TRACEBACK_LENGTH_MAX = 32_000
MARGIN_LENGTH = 16_384
"""More than secrets in a text are long."""


MaskText = Callable[[str], str]
"""Masks what an application says that nobody may read."""


def as_it_is(text: str) -> str:
    """Nothing masked."""
    return text


def traceback_text(error: BaseException, length_max: int = TRACEBACK_LENGTH_MAX, mask: MaskText = as_it_is) -> str:
    """The traceback of an error with those of its causes, masked, and cut at `length_max` characters."""
    with hidden_row_values(error):
        text = "".join(traceback.format_exception(error)).rstrip()
    return _masked(text, length_max, mask)


def message_text(error: BaseException, length_max: int, mask: MaskText = as_it_is) -> str:
    """Type and message of an error, as its traceback ends, masked."""
    with hidden_row_values(error):
        text = "".join(traceback.format_exception_only(error)).strip()
    return _masked(text, length_max, mask)


def _masked(text: str, length_max: int, mask: MaskText) -> str:
    """What may be shown of a text. Masking takes time for each character, and clients may decide how many an exception
    repeats: of a long text no more is looked at than can be shown, and a margin, so that no half of a secret is."""
    looked_at = text[: length_max + MARGIN_LENGTH]
    looked_at = looked_at.encode(errors="backslashreplace").decode()  # surrogates, which nobody can send
    shown = mask(without_secrets(without_arguments(looked_at)))
    if len(text) > length_max:
        return f"{shown[:length_max]}... ({len(text)} characters)"
    return shortened(shown, length_max)
