"""Dialects: the conventions of an API that clients see and no rule depends on.

A dialect is read once, when the app is built, into the tables that the layers are made with: names of fields, keys of
envelopes, the scheme of tokens, the paging of lists. Only `problem` runs per request, for refusals.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

from gatepost.declaring.arguments import Arguments, Declared, declared
from gatepost.declaring.paging import Paging
from gatepost.declaring.wire_names import WireName
from gatepost.errors import ConfigurationError, FieldError, Problem
from gatepost.json_pointers import tokens_of

DATA = ("data", "data")
"""The keys of an envelope: around one row, and around a list."""

LIST = "{list}"
"""Stands for the key of the list in `total=`."""

_WORD = re.compile(r"(?<=[^_])_+([^\W_])")

_SCHEME = re.compile(r"[!#$%&'*+.^`|~0-9A-Za-z-]+")
"""A token of RFC 9110, section 5.6.2."""


class Dialect(Declared):
    """The conventions of Gatepost itself, which an app has that declares no other: names as the models have them, the
    envelope `{"data": ...}`, cursors, PATCH, and refusals as problem details (RFC 9457)."""

    scheme = "Bearer"
    paging = Paging()
    update = "PATCH"
    envelope = DATA
    total: str | None = None
    has_named_envelopes = False

    @declared
    def __init__(self) -> None:
        """What a dialect of one's own calls first."""

    @property
    def names(self) -> WireName:
        """What makes the names that clients know; `str` where they are those of the models."""
        return str if type(self).wire_name is Dialect.wire_name else self.wire_name

    @property
    def has_problems(self) -> bool:
        """Whether refusals have another form than problem details."""
        return type(self).problem is not Dialect.problem

    def wire_name(self, name: str) -> str:
        """Override to choose the names that clients see of attributes, relations, members and parameters. Called at
        start, once for each; the same name again has to give itself."""
        return name

    def problem(self, problem: Problem, name: str | None) -> object:
        """Override to choose the body of refusals below the app's prefix: any value that JSON can hold. Status and
        headers stay as they are, and the content type becomes `application/json`.

        `name` is that of the resource whose row was not found or may not be written, else that of the endpoint; None
        where neither has one. What raises becomes a 500 in the usual form, and is logged.
        """
        return {
            "title": problem.title,
            "status": problem.status,
            "detail": problem.detail,
            "code": problem.code,
            "errors": problem.errors,
        }

    def by_field(
        self, problem: Problem, words: Mapping[str, str] | Callable[[FieldError], str]
    ) -> dict[str, list[str]]:
        """The violations of a problem as texts, by the field that each is in. `words` are the texts by code, where a
        code without one has its `detail`; or the function that makes them."""
        find = words if callable(words) else _by_code(words)
        found: dict[str, list[str]] = {}
        for error in problem.errors:
            found.setdefault(_field(error.pointer, problem.envelope), []).append(find(error))
        return found


class CamelCase(Dialect):
    """Names in camelCase, and what else such clients expect.

    The key around a row or a list is the name of its DTO; without one it is of `envelope`, the pair of keys around one
    row and around a list. Bodies have an envelope where their DTO has a name. `total` is the key of the number of all
    rows, beside the list whose key `{list}` stands for: it is then always counted, up to 10,000. `scheme` is that of
    access tokens in `Authorization`. `paging="offset"` takes `limit` and `offset` in place of cursors. `update="PUT"`
    serves the derived update as a PUT, which merges like the PATCH.
    """

    has_named_envelopes = True

    @declared
    def __init__(
        self,
        *,
        envelope: tuple[str, str] | None = None,
        total: str | None = None,
        scheme: str = "Bearer",
        paging: Literal["cursor", "offset"] = "cursor",
        update: Literal["PATCH", "PUT"] = "PATCH",
    ) -> None:
        arguments = Arguments(self, type(self).__name__)
        arguments.check(_check_envelope, envelope)
        arguments.check(_check_choice, "scheme", scheme, None)
        arguments.check(_check_choice, "paging", paging, ("cursor", "offset"))
        arguments.check(_check_choice, "update", update, ("PATCH", "PUT"))
        self.envelope = envelope or DATA
        self.total = arguments.of_kind("total", total, str | None, 'a text such as "{list}Count"', None)
        self.scheme = scheme
        self.paging = Paging(by_offset=paging == "offset", always_counts=total is not None)
        self.update = update

    def wire_name(self, name: str) -> str:
        """`created_at` becomes `createdAt`. Underscores at the beginning stay."""
        return _WORD.sub(lambda found: found[1].upper(), name)


DEFAULT_DIALECT = Dialect()
"""What an app has that declares no other."""


def checked_dialect(given: Any, location: str = "App") -> Dialect:
    """A dialect as it is given at a location. Raises `ConfigurationError` for anything else."""
    if isinstance(given, Dialect):
        return given
    name = getattr(given, "__name__", repr(given))
    is_class = isinstance(given, type) and issubclass(given, Dialect)
    hint = f"Write dialect={name}()." if is_class else "Write dialect=CamelCase(), or leave it out."
    raise ConfigurationError(f"dialect={name} is not a dialect.", location=location, hint=hint)


def _by_code(words: Mapping[str, str]) -> Callable[[FieldError], str]:
    return lambda error: words.get(error.code, error.detail)


def _field(pointer: str, envelope: str | None) -> str:
    """The member that a pointer leads to or into, below the envelope of the body."""
    tokens = tokens_of(pointer)
    if envelope is not None and len(tokens) > 1 and tokens[0] == envelope:
        return tokens[1]
    return tokens[0] if tokens else ""


def _check_envelope(envelope: Any) -> None:
    if envelope is None:
        return
    keys: list[Any] = [*envelope] if isinstance(envelope, tuple) else []
    if len(keys) != len(DATA) or not all(isinstance(key, str) for key in keys):
        raise ConfigurationError(
            f"envelope={envelope!r}.", hint='Write the keys for one row and for a list: envelope=("item", "items").'
        )


def _check_choice(name: str, given: Any, choices: tuple[str, ...] | None) -> None:
    is_known = isinstance(given, str) and (_SCHEME.fullmatch(given) if choices is None else given in choices)
    if not is_known:
        hint = 'Write a word such as "Token".' if choices is None else f"Write one of {', '.join(map(repr, choices))}."
        raise ConfigurationError(f"{name}={given!r}.", hint=hint)
