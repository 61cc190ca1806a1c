"""Envelopes of bodies: `{"article": {...}}`. What is inside is read as a body of its own; what is wrong in it has a
pointer that begins with the key."""

import re
from collections.abc import Callable, Iterable
from typing import Any, cast

import msgspec

from gatepost.dtos.body_errors import UNKNOWN_MAX, refusal, unknown_field
from gatepost.dtos.json_input import noun_of
from gatepost.dtos.strict_json import read_json
from gatepost.dtos.violations import wrong_type
from gatepost.errors import FieldError, Problem, Unprocessable
from gatepost.json_pointers import escape

Decode = Callable[[bytes], object]
"""Decodes what is inside. Raises `Unprocessable` with the violations."""

_WHITESPACE = b" \t\n\r"

_NOT_A_LINE_END = re.compile(rb"[^\n]")

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class BodyEnvelope:
    """The envelope with this key, which has to be the only member of a body."""

    def __init__(self, key: str) -> None:
        self.key = key
        self._prefix = f"/{escape(key)}"
        self._start = re.compile(rb"[ \t\n\r]*\{[ \t\n\r]*%b[ \t\n\r]*:" % re.escape(msgspec.json.encode(key)))

    def opened(self, body: bytes, decode: Decode) -> bytes:
        """What is inside, as it was sent. Where the envelope is missing, what an empty one would lack is named.

        Raises `BadRequest("malformed_json")`, `Unprocessable`.
        """
        start, whole = self._start.match(body), body.rstrip(_WHITESPACE)
        try:
            members = _members(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            members = {}
        inside = bytes(members.get(self.key, b""))
        # The member is the only one where nothing stands beside it: a second one of that name would not be seen.
        if start is not None and inside and whole[start.end() : -1].strip(_WHITESPACE) == inside:
            return _NOT_A_LINE_END.sub(b" ", start[0]) + inside  # so that mistakes are at the line that was sent
        return self._opened_strictly(body, decode)

    def _opened_strictly(self, body: bytes, decode: Decode) -> bytes:
        node = read_json(body)
        if not isinstance(node, dict):
            raise self._marked(refusal([wrong_type("a JSON object", noun_of(node), expected="object").error()]))
        errors = self._unknown(name for name in cast("dict[str, Any]", node) if name != self.key)
        if self.key not in node:
            errors += self._required(decode)
        if errors:
            raise self._marked(refusal(errors))
        return bytes(_members(body)[self.key])

    def _unknown(self, names: Iterable[str]) -> list[FieldError]:
        return [unknown_field(name, [self.key], f"/{escape(name)}").error() for name in names][:UNKNOWN_MAX]

    def _required(self, decode: Decode) -> list[FieldError]:
        """What is missing where the envelope is: each field that it has to hold, else itself."""
        try:
            decode(b"{}")
        except Unprocessable as problem:
            return [self._below(error) for error in problem.errors]
        return [FieldError(self._prefix, "required", "The field is missing.")]

    def located(self, problem: Problem) -> Problem:
        """The refusal of what is inside, with pointers from the whole body."""
        if not problem.errors or problem.envelope is not None:
            return problem
        return self._marked(problem.with_errors([self._below(error) for error in problem.errors]))

    def _below(self, error: FieldError) -> FieldError:
        return msgspec.structs.replace(error, pointer=f"{self._prefix}{error.pointer}")

    def _marked(self, problem: Problem) -> Problem:
        problem.envelope = self.key
        return problem
