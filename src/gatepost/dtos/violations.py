"""`Violation`: one value refused, raised by every check of this layer and caught by the strict reader or the caller."""

from collections.abc import Mapping, Sequence
from typing import Any

from gatepost.errors import FieldError
from gatepost.json_pointers import escape

NO_PARAMS: Mapping[str, Any] = {}

VIOLATIONS_MAX = 100
"""Violations reported per list: the response to a hostile body must not be larger than the body."""


class Violation(ValueError):
    """A value that the declaration refuses.

    `code` is one of `FIELD_CODES`, `detail` (also `str()` of the exception) a sentence for the client's developer,
    `params` the values in it, `pointer` an RFC 6901 pointer below the field: `"/3"` is the fourth element of a list.
    `others` are the further ones of the same value.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        pointer: str = "",
        others: "Sequence[Violation]" = (),
        *,
        params: Mapping[str, Any] = NO_PARAMS,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.params = params
        self.pointer = pointer
        self.others = others

    def below(self, name: str) -> "Violation":
        """This violation alone, with a pointer from the list or object that has it at `name`."""
        return Violation(self.code, self.detail, f"/{escape(name)}{self.pointer}", params=self.params)

    def error(self) -> FieldError:
        """This violation alone, for the response."""
        return FieldError(self.pointer, self.code, self.detail, self.params)

    def each_below(self, name: str) -> "list[Violation]":
        """This violation and the others, as `below` gives them."""
        return [item.below(name) for item in (self, *self.others)]


def raise_all(violations: "Sequence[Violation]") -> None:
    """Raise the violations as one, if there are any."""
    if violations:
        first, *others = violations
        raise Violation(first.code, first.detail, first.pointer, others, params=first.params)


def wrong_type(noun: str, given: str = "", *, expected: str | None = None) -> Violation:
    """The violation of what is not `noun`, such as "a text", but `given`. `expected` is the name of the type for
    programs, where it is not the noun without its article."""
    sentence = f"Send {noun}, not {given}." if given else f"Send {noun}."
    return Violation("wrong_type", sentence, params={"expected": expected or noun.partition(" ")[2]})
