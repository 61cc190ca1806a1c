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
    """The traceback of an error with those of its causes, masked, in about `length_max` characters. Where it is longer,
    its middle is left out: a call begins in the first frames and fails in the last ones. Nor can a long message push
    them out."""
    part_max = length_max // 4
    with hidden_row_values(error):
        parts = traceback.format_exception(error)
    text = "".join(part if len(part) <= part_max else f"{_masked(part, part_max, mask)}\n" for part in parts).rstrip()
    if len(text) <= length_max:
        return _masked(text, length_max, mask)
    begin, end = length_max // 3, length_max - length_max // 3
    left_out = f"... ({len(text) - length_max} characters left out)"
    return f"{_all_masked(text[: begin + MARGIN_LENGTH], mask)[:begin]}\n{left_out}\n{_end_of(text, end, mask)}"


def message_text(error: BaseException, length_max: int, mask: MaskText = as_it_is) -> str:
    """Type and message of an error, as its traceback ends, masked."""
    with hidden_row_values(error):
        text = "".join(traceback.format_exception_only(error)).strip()
    return _masked(text, length_max, mask)


def _masked(text: str, length_max: int, mask: MaskText) -> str:
    """What may be shown of a text. Masking takes time for each character, and clients may decide how many an exception
    repeats: of a long text no more is looked at than can be shown, and a margin, so that no half of a secret is."""
    shown = _all_masked(text[: length_max + MARGIN_LENGTH], mask)
    if len(text) > length_max:
        return f"{shown[:length_max]}... ({len(text)} characters)"
    return shortened(shown, length_max)


def _end_of(text: str, length: int, mask: MaskText) -> str:
    return _all_masked(text[-(length + MARGIN_LENGTH) :], mask)[-length:].partition("\n")[2]


def _all_masked(text: str, mask: MaskText) -> str:
    text = text.encode(errors="backslashreplace").decode()  # surrogates, which nobody can send
    return mask(without_secrets(without_arguments(text)))
