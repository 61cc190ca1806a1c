"""Broken constraints as refusals: the constraint's name leads to the declaration, the declaration to the answer."""

from collections.abc import Iterable

from sqlalchemy import MetaData

from gatepost.errors import Conflict, FieldError, Problem, Unprocessable
from gatepost.models.schema import Violation, describe_constraint


class Violations:
    """Describes broken constraints of the tables in these MetaDatas. Called by the database with a name."""

    def __init__(self, metadatas: Iterable[MetaData]) -> None:
        self._metadatas = tuple(metadatas)

    def __call__(self, name: str) -> Problem | None:
        """The refusal for a constraint's name; None for a constraint that the declaration does not know."""
        for metadata in self._metadatas:
            found = describe_constraint(metadata, name)
            if found is not None:
                return _problem(found)
        return None


def _problem(found: Violation) -> Problem:
    if found.kind == "unique":
        errors = [FieldError(f"/{column}", "already_exists", found.detail) for column in found.columns]
        return Conflict("already_exists", found.detail, errors=errors)
    code = "not_found" if found.kind == "foreign_key" else found.code
    errors = [FieldError(f"/{column}", code, found.detail) for column in found.columns]
    if found.kind == "foreign_key":
        return Unprocessable("reference_not_found", "A reference leads nowhere.", errors=errors)
    return Unprocessable("invalid_body", "The body violates the declaration.", errors=errors)
