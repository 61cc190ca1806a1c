"""Rows above: what the path of a nested resource says before it comes to the resource itself."""

from typing import Any

from gatepost.call import Call, Handler, Response
from gatepost.dtos.path_keys import key_reader, key_writer
from gatepost.models.catalog import ServedModel
from gatepost.models.nesting import Nesting
from gatepost.services.write_policies import not_found, row_above


class RowAbove:
    """The row above those of one resource: `/articles/{article:slug}/comments`. `foreign_key` is the attribute of the
    rows below that refers to it."""

    @classmethod
    def of(cls, served: ServedModel, prefix: str) -> "RowAbove | None":
        """That of a resource; None where it stands by itself."""
        nesting, above = served.nesting, served.above
        return None if nesting is None or above is None else cls(nesting, above, prefix)

    def __init__(self, nesting: Nesting, above: ServedModel, prefix: str) -> None:
        self.foreign_key = nesting.foreign_key
        self._nesting = nesting
        self._above = above
        self._parse, self._write = key_reader(nesting.entity.key), key_writer(nesting.entity.key)
        self._path = f"{prefix}/{above.path}"

    def handler(self, handle: Handler) -> Handler:
        """The handler whose call knows the row above, and has the other values of the path alone."""

        async def handle_below(call: Call) -> Response:
            text, *others = call.path_values
            try:
                value: Any = self._parse(text)
            except ValueError:
                raise not_found() from None
            call.path_values = tuple(others)
            call.below = row_above(self._nesting, self._above, value, call.actor)
            return await handle(call)

        return handle_below

    def path_of(self, call: Call, path: str) -> str:
        """The path of a list below the row of the call."""
        return f"{self._path}/{self._write(call.below.value.value)}/{path}"
