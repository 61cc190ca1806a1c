"""What could not be changed, each cause once: what only follows from another refusal is not listed."""

from collections.abc import Iterable

from alembic.operations.ops import AddColumnOp

from gatepost.migrations.differences import Difference

_UNDEFINED = ("42P01", "42703", "42704", "42883", "42830", "3F000")
"""SQLSTATEs: a table, column, type, function, unique constraint or schema that another change would have made."""

_DUPLICATE = ("42P07", "42701", "42710", "42723", "42P06")
"""SQLSTATEs: such an object is there already."""


def is_duplicate(sqlstate: str | None) -> bool:
    """Whether something was to be made that is there already."""
    return sqlstate in _DUPLICATE


class Refusals:
    """Collects what was refused. `missing` are the names of what was refused before, and is therefore not there."""

    def __init__(self, missing: Iterable[str]) -> None:
        self._missing = set(missing)
        self._summaries: dict[str, list[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._summaries)

    def add(self, difference: Difference, reason: str, sqlstate: str | None) -> None:
        """PostgreSQL refuses the change. What uses an object that was not made for another reason is no news."""
        is_echo = sqlstate in _UNDEFINED and any(f'"{name}"' in reason for name in self._missing)
        self._missing |= names_made_by(difference)
        if not is_echo:
            self._summaries.setdefault(reason, []).append(difference.summary)

    @property
    def sentences(self) -> list[str]:
        """A sentence for each reason, with everything that it stops."""
        return [f"{', '.join(summaries)}: {reason}" for reason, summaries in self._summaries.items()]


def names_made_by(difference: Difference) -> set[str]:
    """The names that are missing where the change is not made."""
    if isinstance(difference.operation, AddColumnOp):
        return {str(difference.operation.column.name)}
    return {difference.key.name} if difference.action == "create" else set()
