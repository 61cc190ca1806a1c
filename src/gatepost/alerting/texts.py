"""Texts of whatever origin as every receiver takes them: no words of an exception keep an alert from being told."""

import re

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_UNSENDABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


def one_line(text: str, length_max: int) -> str:
    """The text without line feeds and other control characters, not too long."""
    return _CONTROL.sub(" ", text)[:length_max].strip()


def sendable(text: str) -> str:
    """The text without what is not UTF-8, and without control characters but line feeds and tabs."""
    return _UNSENDABLE.sub(" ", text)
