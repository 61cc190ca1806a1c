"""JSON pointers (RFC 6901): the places inside a body that errors name."""

from collections.abc import Callable


def escape(name: str) -> str:
    """One reference token of a pointer (section 3)."""
    return name.replace("~", "~0").replace("/", "~1")


def unescape(token: str) -> str:
    """The name that `escape` made this token of."""
    return token.replace("~1", "/").replace("~0", "~")


def tokens_of(pointer: str) -> list[str]:
    """The names and indexes that a pointer goes through; none for the whole document."""
    return [unescape(token) for token in pointer.split("/")[1:]]


def with_first(pointer: str, change: Callable[[str], str]) -> str:
    """The pointer with another name where it begins."""
    if not pointer:
        return pointer
    first, slash, rest = pointer[1:].partition("/")
    return f"/{escape(change(unescape(first)))}{slash}{rest}"
