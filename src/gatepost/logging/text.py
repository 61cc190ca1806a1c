"""What makes a line safe to write: no control character can start a second line or move a terminal's cursor, no
secret is shown, and no text is endless.

Off the request path but for `is_plain`, which the access lines ask for every path.
"""

import itertools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

TEXT_LENGTH_MAX = 2048
VALUE_LENGTH_MAX = 8192
"""Of a field, in characters; what is longer is cut."""
ITEMS_MAX = 100
DEPTH_MAX = 5
MASK = "***"
WORD_LENGTH = 4
"""A value that is shorter is masked only where it is a word of its own."""

_SECRET_KEY = re.compile(
    r"passw|passphrase|pwd|secret|token|authorization|cookie|signing_?key|api_?key|private_?key|credential|(^|_)otp($|_)",
    re.IGNORECASE,
)
# None of them looks at a character more than some hundred times: clients decide what stands in a text.
_SECRETS_IN_TEXT: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"(\w://[^\s:/@]{0,200}:)[^\s/]{1,200}@"), rf"\1{MASK}@"),  # the password of a DSN
    (re.compile(r"(?<![\w-])[\w-]++(?:\.[\w-]*+){2,}"), lambda match: _without_token(match[0])),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), rf"\1 {MASK}"),
    (re.compile(r"(?i)([?&][\w-]{0,40}(?:token|key|secret|password|signature)=)[^&\s]+"), rf"\1{MASK}"),
    (re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(-----END [A-Z ]{0,40}PRIVATE KEY-----|$)", re.S), MASK),
    (re.compile(r"\$argon2\w{0,10}\$\S+"), MASK),
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


def without_values(value: Any, forms: Sequence[str]) -> Any:
    """A text, or each text in a mapping or list, without these texts, which are in lower case: they are masked in any
    case. Short ones are masked where they are words."""
    if not forms:
        return value
    if isinstance(value, str):
        return _without_values(value, forms)
    if isinstance(value, dict):
        parts = cast("dict[str, Any]", value)
        return {_without_values(key, forms): without_values(item, forms) for key, item in parts.items()}
    if isinstance(value, list):
        return [without_values(item, forms) for item in cast("Sequence[Any]", value)]
    return MASK if isinstance(value, int | float) and str(value) in forms else value


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a value that may be written, and every number as one."""
    if isinstance(value, dict):
        for key, item in cast("Mapping[str, Any]", value).items():
            yield key
            yield from texts_in(item)
    elif isinstance(value, list):
        for item in cast("Sequence[Any]", value):
            yield from texts_in(item)
    else:
        yield str(value)


def _without_values(text: str, forms: Sequence[str]) -> str:
    folded = text.lower()
    for form in forms:
        if form in folded:
            pattern = re.escape(form)
            if len(form) < WORD_LENGTH:
                pattern = rf"(?<!\w){pattern}(?!\w)"
            text = re.sub(pattern, MASK, text, flags=re.IGNORECASE)
            folded = text.lower()
    return text


def safe_value(key: str, value: Any, depth: int = 0, names: Collection[str] = ()) -> Any:
    """A field of a log record as it may be written: masked where its name says that it is a secret, as is each part of
    a mapping or list, and of a bounded size. So are the parts that have one of the `names`."""
    if _SECRET_KEY.search(key) and value is not None:
        return MASK
    if isinstance(value, bool | int | float) or value is None:
        return value
    if depth < DEPTH_MAX and isinstance(value, Mapping):
        items: Iterable[tuple[Any, Any]] = itertools.islice(cast("Any", value).items(), ITEMS_MAX)
        return {
            (name := text_of(each)): MASK if name in names else safe_value(name, item, depth + 1, names)
            for each, item in items
        }
    if depth < DEPTH_MAX and isinstance(value, list | tuple | set | frozenset):
        parts = itertools.islice(cast("Iterable[Any]", value), ITEMS_MAX)
        return [safe_value(key, item, depth + 1, names) for item in parts]
    return without_secrets(text_of(value))


def text_of(value: Any) -> str:
    """A value as text of a bounded length, whatever its own code does."""
    try:
        text = value if isinstance(value, str) else str(value)
    except Exception as error:
        text = f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"
    return shortened(text, VALUE_LENGTH_MAX)


def _without_token(text: str) -> str:
    """Words joined by dots, without a JWT among them."""
    start = text.find("eyJ")
    return text if start < 0 or text.count(".", start) < 2 else text[:start] + MASK
