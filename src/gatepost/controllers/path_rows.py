"""Rows that the path of an own endpoint names: `/articles/{article:slug}/comments/{comment}`.

Those above a nested resource are there for all endpoints of its controller. Of two rows, the second has to belong to
the first where it refers to it by a foreign key.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from gatepost.call import SAFE, Call
from gatepost.controllers.endpoint_parameters import Read, TextParameter, path_value
from gatepost.dtos.scalars import compile_scalar
from gatepost.errors import ConfigurationError, NotFound
from gatepost.models.nesting import Nesting, nesting_in_path
from gatepost.models.served_model import ServedModel
from gatepost.services.answers import RowLookup
from gatepost.services.refusals_about import RefusalsAbout
from gatepost.services.write_policies import RowAbove, row_above


class PathRow(NamedTuple):
    """A row that the path names: by what name, at which place among the path's values, and by which attribute. It is
    below the row that the path calls `nesting.name`. One above a nested resource need not be a parameter. `about` names
    it in refusals."""

    name: str
    place: int
    served: ServedModel
    attribute: str
    read: Read
    about: RefusalsAbout
    is_locking: bool = False
    is_parameter: bool = True
    nesting: Nesting | None = None


class NamedRow(NamedTuple):
    """A row as the path of a request names it."""

    row: PathRow
    lookup: RowLookup


def path_row(name: str, place: int, served: ServedModel, attribute: str) -> PathRow:
    """The row that has, as this attribute, what stands at a place of the path."""
    read = compile_scalar(served.entity.attributes[attribute], stored=True)
    about = RefusalsAbout(served.row_name, NotFound)
    return PathRow(name, place, served, attribute, path_value(place, read), about)


def rows_above(served: ServedModel | None) -> dict[str, PathRow]:
    """The rows above those of a resource by the names that its path has for them, not yet as parameters."""
    if served is None:
        return {}
    return {
        nesting.name: path_row(nesting.name, place, above, nesting.entity.key.names[0])._replace(
            is_parameter=False, nesting=above.nesting
        )
        for place, (nesting, above) in enumerate(served.rows_above)
    }


def check_row(row: PathRow, kind: Any, location: str) -> None:
    """Raise `ConfigurationError` where the parameter of a row is something else."""
    if kind is not row.served.entity.model:
        name = row.served.entity.name
        raise ConfigurationError(
            f"takes {row.name!r} as {getattr(kind, '__name__', kind)}, and its resource is below a row of {name}.",
            location=location,
            hint=f"Write `{row.name}: {name}`, or leave it out.",
        )


def nested(rows: Iterable[PathRow], served: ServedModel | None, location: str) -> tuple[PathRow, ...]:
    """The rows in the order of the path, each below the nearest before it that it refers to. `served` is the resource
    that has the controller. Raises `ConfigurationError` where one refers to another in several ways."""
    found: list[PathRow] = []
    for row in sorted(rows, key=lambda each: each.place):
        nesting = row.nesting
        if nesting is None and served is not None and row.served is served:
            nesting = served.nesting
        for other in reversed(found):
            if nesting is None:
                above = other.served.entity.with_key(other.attribute)
                nesting = nesting_in_path(row.served.entity, above, other.name, location)
        found.append(row._replace(nesting=nesting))
    return tuple(found)


def read_rows(rows: Sequence[PathRow], call: Call) -> dict[str, NamedRow]:
    """The rows that the path of a request names. Raises `NotFound` for a text that names none."""
    found: dict[str, NamedRow] = {}
    for row in rows:
        with row.about:
            value = row.read(call)
        above = below_of(row.nesting, found, call)
        found[row.name] = NamedRow(row, RowLookup(row.attribute, value, above, row.is_locking))
    return found


def compared_row(rows: Iterable[PathRow], texts: Iterable[TextParameter], method: str) -> PathRow | None:
    """The row that `If-Match` is about: the last one of the path that the endpoint takes. None where it only reads, and
    where it takes the header itself."""
    if method in SAFE or any(text.place == "header" and text.name.lower() == "if-match" for text in texts):
        return None
    return next((row for row in [*rows][::-1] if row.is_parameter), None)


def below_of(nesting: Nesting | None, found: Mapping[str, NamedRow], call: Call) -> RowAbove | None:
    """The row above that a nesting means among those of a path; None where rows stand by themselves."""
    if nesting is None:
        return None
    row, lookup = found[nesting.name]
    return row_above(nesting, row.served, lookup.value, call.actor, lookup.above)
