"""The bounds of documents after a merge patch: the same as for a document in a body.

Each patch is bounded by itself, but without this check a document could grow with every patch.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from gatepost.dtos.json_values import NUMBER_CHARACTERS_MAX, Bounds, DocumentDecoder, members, read
from gatepost.dtos.strict_json import read_json
from gatepost.dtos.violations import Violation
from gatepost.exact_json import encode_bytes

STORED_FACTOR = 3
"""How much longer than its body the text of a stored document may be: PostgreSQL writes spaces and numbers in full, and
a `JSON` column keeps escapes."""

_EXPONENTS = re.compile(rb"[0-9]E[-+]")
_LONG_NUMBER = re.compile(rb"(?<![0-9.])[0-9.]{%d}" % NUMBER_CHARACTERS_MAX)


class MergedDocuments:
    """The check of the merged documents of one resource. A stored document whose text is longer than `stored_bytes_max`
    is not even read: it cannot have come from a body."""

    def __init__(self, bounds: Bounds, forms: Mapping[str, Callable[[Any], Any]]) -> None:
        """`forms` make the instances of the documents that have a form, by the names of their fields."""
        self._bounds = bounds
        self._forms = forms
        self._decoder = DocumentDecoder(bounds)
        self.stored_bytes_max = STORED_FACTOR * bounds.number_characters

    @property
    def bytes_max(self) -> int:
        """The most bytes of a document's JSON: as many as a body may have."""
        return self._bounds.number_characters

    def check(self, document: Any) -> None:
        """Raise `Violation` for a document that no body could hold."""
        members(document, self._bounds)
        text = encode_bytes(document)
        if len(text) > self.bytes_max:
            detail = f"The merged document has more than {self.bytes_max} bytes of JSON."
            raise Violation("too_long", detail, params={"max": self.bytes_max})
        if not self._is_within(text):
            read(read_json(text), self._bounds)  # decides, and raises with the right message

    def instance(self, name: str, document: Any) -> Any:
        """What is written for a merged document: an instance where it has a form. Raises `Violation` where it does not
        fit."""
        form = self._forms.get(name)
        return document if form is None else form(document)

    def _is_within(self, text: bytes) -> bool:
        """Whether the numbers are within the bounds, written out in full. May be False where it is not sure."""
        if not _EXPONENTS.search(text):  # without them no number is shorter than PostgreSQL shows it
            return not _LONG_NUMBER.search(text)
        return self._decoder.has_numbers_within(text)
