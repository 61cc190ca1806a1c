"""A traceback as it may be shown: without the values of variables, rows and statements, which may be secrets."""

import traceback
from collections.abc import Callable

from gatepost.logging.row_values import hidden_row_values, without_arguments
from gatepost.logging.text import shortened, without_secrets

TRACEBACK_LENGTH_MAX = 32_000


MaskText = Callable[[str], str]
"""Masks what an application says that nobody may read."""


def as_it_is(text: str) -> str:
    """Nothing masked."""
    return text


def traceback_text(error: BaseException, length_max: int = TRACEBACK_LENGTH_MAX, mask: MaskText = as_it_is) -> str:
    """The traceback of an error with those of its causes, masked, and cut at `length_max` characters."""
    with hidden_row_values(error):
        text = "".join(traceback.format_exception(error)).rstrip()
    return shortened(mask(without_secrets(without_arguments(text))), length_max)


def message_text(error: BaseException, length_max: int, mask: MaskText = as_it_is) -> str:
    """Type and message of an error, as its traceback ends, masked."""
    with hidden_row_values(error):
        text = "".join(traceback.format_exception_only(error)).strip()
    return shortened(mask(without_secrets(without_arguments(text))), length_max)
