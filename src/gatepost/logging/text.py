"""What makes a line safe to write: no control character can start a second line or move a terminal's cursor, no
secret is shown, and no text is endless.

Off the request path but for `is_plain`, which the access lines ask for every path.
"""

import re
from collections.abc import Sequence
from typing import Any, cast

TEXT_LENGTH_MAX = 2048
MASK = "***"

_SECRET_KEY = re.compile(r"passw|secret|token|authorization|cookie|signing_key|api_key|private_key|credential", re.I)
_SECRETS_IN_TEXT = (
    (re.compile(r"(\w://[^\s:/@]*:)[^\s@]+@"), rf"\1{MASK}@"),  # the password of a DSN
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]+\.[\w-]*"), MASK),  # a JWT
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), rf"\1 {MASK}"),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.S), MASK),
    (re.compile(r"\$argon2\w*\$\S+"), MASK),
)


def is_plain(text: str) -> bool:
    """Whether the text can be written as it is: short, and nothing but ASCII without control characters."""
    return len(text) <= TEXT_LENGTH_MAX and text.isascii() and text.isprintable()


def escaped(text: str, *, keep: str = "") -> str:
    """The text with every character that is not printable as `\\xNN` or `\\uNNNN`, but for those in `keep`.

    Not printable are control characters, lone surrogates, the separators U+2028 and U+2029 and what turns the
    direction of writing: all that could make one line look like another one or like two.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in keep else char.encode("unicode_escape").decode() for char in text
    )


def shortened(text: str, length_max: int = TEXT_LENGTH_MAX) -> str:
    """The text, cut at `length_max` characters with a mark that says so."""
    return text if len(text) <= length_max else f"{text[:length_max]}... ({len(text)} characters)"


def without_secrets(text: str) -> str:
    """The text with passwords of DSNs, tokens, keys and password hashes masked."""
    for pattern, replacement in _SECRETS_IN_TEXT:
        text = pattern.sub(replacement, text)
    return text


def safe_value(key: str, value: Any) -> Any:
    """A field of a log record as it may be written: masked where its name says that it is a secret."""
    if _SECRET_KEY.search(key) and value is not None:
        return MASK
    if isinstance(value, bool | int | float) or value is None:
        return value
    if isinstance(value, list):
        return [safe_value(key, item) for item in cast("Sequence[Any]", value)]
    return without_secrets(value if isinstance(value, str) else str(value))
