"""The check of JSON whose fields nobody has declared: strict (RFC 8259), neither too deep nor too long.

For bodies of an application behind the gate alone. Declared bodies are read by `body.py`, by the same rules.
"""

from gatepost.dtos.json_values import Bounds, DocumentDecoder, read
from gatepost.dtos.strict_json import may_hide_keys, read_json
from gatepost.dtos.violations import Violation
from gatepost.errors import BadRequest, Unprocessable


class JSONCheck:
    """Calling it with a body raises 400 `malformed_json` for what is not strict JSON, 422 `invalid_body` for what is
    beyond the bounds."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._decoder = DocumentDecoder(bounds)

    def __call__(self, body: bytes) -> None:
        try:
            count = self._decoder.members(body)
            if count is None:
                read(read_json(body), self._bounds)
            elif may_hide_keys(body, {}, count):
                read_json(body)
        except Violation as violation:
            detail = "The body violates the bounds of JSON here."
            raise Unprocessable("invalid_body", detail, errors=[violation.error()]) from None
        except RecursionError:
            raise BadRequest("malformed_json", "The body is not strict JSON: it nests too deeply.") from None
