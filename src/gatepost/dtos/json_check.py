"""The check of JSON whose fields nobody has declared: strict (RFC 8259), neither too deep nor too long.

For bodies of an application behind the gate alone. Declared bodies are read by `body.py`, by the same rules.
"""

from typing import Any

import msgspec

from gatepost.dtos.json_values import Bounds, NumberReader, members, read
from gatepost.dtos.strict_json import may_hide_keys, read_json
from gatepost.dtos.violations import Violation
from gatepost.errors import BadRequest, FieldError, Unprocessable


class JSONCheck:
    """Calling it with a body raises 400 `malformed_json` for what is not strict JSON, 422 `invalid_body` for what is
    beyond the bounds."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._numbers = NumberReader(bounds)
        self._decode = msgspec.json.Decoder(float_hook=self._numbers).decode

    def __call__(self, body: bytes) -> None:
        try:
            is_good, count = self._decoded(body)
            if not is_good:
                read(read_json(body), self._bounds)
            elif may_hide_keys(body, {}, count):
                read_json(body)
        except Violation as violation:
            error = FieldError(violation.pointer, violation.code, violation.detail)
            raise Unprocessable("invalid_body", "The body violates the bounds of JSON here.", errors=[error]) from None
        except RecursionError:
            raise BadRequest("malformed_json", "The body is not strict JSON: it nests too deeply.") from None

    def _decoded(self, body: bytes) -> tuple[bool, int]:
        """Whether the fast decoder takes it, and how many members all of its objects have."""
        self._numbers.surplus = 0
        try:
            value: Any = self._decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, Violation):
            return False, 0
        return self._numbers.is_within(body), members(value, self._bounds)
