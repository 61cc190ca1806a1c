"""What is known of the `Select`s that one endpoint returns, by their SQL: found out once, and not in every call."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy.sql import visitors
from sqlalchemy.sql.cache_key import NO_CACHE
from sqlalchemy.sql.selectable import _OffsetLimitParam  # pyright: ignore[reportPrivateUsage]

from gatepost.actor import Actor
from gatepost.bounded_cache import BoundedCache
from gatepost.declaring.row_expressions import CallValue, Readable
from gatepost.errors import ConfigurationError
from gatepost.models.actor_columns import ActorColumns
from gatepost.models.chosen_rows import ChosenRows, SelectShape, ValueOf
from gatepost.models.conditions import bind_readables
from gatepost.models.entity import Entity
from gatepost.models.list_query import Order
from gatepost.models.readable_rows import read_policy
from gatepost.models.select_orders import has_limit, is_plain, order_of

SHAPES_MAX = 256
"""Shapes kept of each endpoint. Most endpoints have one."""

ROW_COUNT_MAX = 2**31 - 1
"""The largest LIMIT and OFFSET: SQLAlchemy binds them as an `integer`."""

Binds = Sequence[sa.BindParameter[Any]]


class NumberOutOfRange(Exception):
    """A Select computes with a number that its type cannot hold. `value` is it, None where PostgreSQL computed it."""

    subject = "The Select computes with a number"

    def __init__(self, value: int | None = None) -> None:
        super().__init__(f"{self.subject} that is out of range{'' if value is None else f': {value}'}.")
        self.value = value


class RowCountOutOfRange(NumberOutOfRange):
    """A Select has a LIMIT or an OFFSET that no list has."""

    subject = "The Select has a LIMIT or OFFSET"


class KnownSelect(msgspec.Struct, frozen=True, eq=False):
    """What Selects of one shape have in common: their order, None where they have a limit, and so an order, of their
    own; the places among their binds of `counts`, every LIMIT and OFFSET, and of that `limit`; the models that
    `readable()` is of in them."""

    shape: SelectShape
    order: tuple[Order, ...] | None
    counts: Sequence[int]
    limit: int | None
    models: tuple[type[Any], ...]


class ChosenSelect(msgspec.Struct, frozen=True, eq=False):
    """The rows that a Select chooses, its order as in `KnownSelect`, and its own limit, where it is a number."""

    rows: ChosenRows
    order: tuple[Order, ...] | None
    limit: int | None


class SelectShapes:
    """The shapes of the Selects that one endpoint returns, of rows of one entity."""

    def __init__(self, entity: Entity, actor_columns: ActorColumns | None = None) -> None:
        """`actor_columns` are those that `actor_column()` may name; any where that is None."""
        self._entity = entity
        self._actor_columns = actor_columns
        self._known = BoundedCache[Any, KnownSelect](SHAPES_MAX)

    def choose(self, selected: sa.Select[Any], actor: Actor, value_of: ValueOf) -> ChosenSelect:
        """The rows of a Select, with the values of this call, whose actor this is.

        Raises `TypeError` where policies and pages cannot be compiled around it, and `RowCountOutOfRange`.
        """
        key, binds, params, _ = read = read_select(selected)
        known = None if key is None else self._known.get(key)
        if known is None:
            known = self._known_of(selected, read, is_for_one_call=key is None)
            if key is not None:
                self._known[key] = known
        rows = ChosenRows.of(selected, known.shape, binds, params, value_of)
        if known.models:
            rows = msgspec.structs.replace(rows, readables=bind_readables(known.models, actor, self._entity))
        check_row_counts(rows.values[place].value for place in known.counts)
        return ChosenSelect(rows, known.order, None if known.limit is None else rows.values[known.limit].value)

    def for_one_call(self, selected: sa.Select[Any], actor: Actor, value_of: ValueOf) -> ChosenSelect:
        """The same for a Select whose values cannot all be bound; Selects of its shape are compiled in every call."""
        read = read_select(selected)
        self._known[read.key] = self._known_of(selected, read, is_for_one_call=True)
        return self.choose(selected, actor, value_of)

    def _known_of(self, selected: Any, read: "SelectKey", *, is_for_one_call: bool) -> KnownSelect:
        binds = read.binds
        self._check_values(read)
        order, is_whole = order_of(selected, self._entity), has_limit(selected)
        if order is None and not is_whole:
            raise TypeError("The Select is ordered by expressions, so it needs a limit of its own: `.limit(100)`.")
        counts = row_counts(binds)
        limit = next((place for place in counts if binds[place] is selected._limit_clause), None)
        # Binds of types that have no key have the same one, whatever their types are.
        is_for_one_call |= any(cast("Any", bind.type)._static_cache_key is NO_CACHE for bind in binds)
        shape = SelectShape(is_whole, is_plain(selected, self._entity), is_for_one_call)
        models = tuple(dict.fromkeys(part.model for part in read.readables))
        return KnownSelect(shape, None if is_whole else order, counts, limit, models)

    def _check_values(self, read: "SelectKey") -> None:
        complaint = None if self._actor_columns is None else self._actor_columns.complaint(read.binds)
        if complaint is not None:
            raise TypeError(f"The Select {complaint}")
        for part in read.readables:
            try:
                read_policy(part.model, self._entity)
            except ConfigurationError as error:
                raise TypeError(f"The Select {error}") from None


class SelectKey(NamedTuple):
    """What all Selects with the same SQL have in common, the binds of one of them, in an order that depends on the key
    alone, the values that `.params()` gave it by name, and each `readable()` in it. A Select with a part that has no
    key, such as VALUES, has none; then the binds are those whose values do not stand in them, and those of limits."""

    key: Any
    binds: Binds
    params: Mapping[str, Any]
    readables: Sequence[Readable]


def read_select(selected: Any) -> SelectKey:
    """The key of a Select, and its binds."""
    found = selected._generate_cache_key()
    if found is not None:
        readables = [bind for bind in found.bindparams if isinstance(bind, Readable)]
        plain: list[Any] = [bind for bind in found.bindparams if not isinstance(bind, Readable)]
        binds: Any = plain if readables else found.bindparams
        return SelectKey(found.key, binds, found.params or {}, readables)
    params, parts = selected._params, cast("Iterable[Any]", visitors.iterate(selected))
    of_call = (CallValue, _OffsetLimitParam)
    all_binds: list[Any] = [part for part in parts if isinstance(part, sa.BindParameter)]
    binds = [part for part in all_binds if isinstance(part, of_call) or part.key in params]
    return SelectKey(None, binds, params, [part for part in all_binds if isinstance(part, Readable)])


def row_counts(binds: Binds) -> list[int]:
    """The places of LIMIT and OFFSET among the binds."""
    return [place for place, bind in enumerate(binds) if isinstance(bind, _OffsetLimitParam)]


def check_row_counts(values: Iterable[int | None]) -> None:
    """Raise `RowCountOutOfRange` for a LIMIT or OFFSET that no list has."""
    for value in values:
        if value is not None and not 0 <= value <= ROW_COUNT_MAX:
            raise RowCountOutOfRange(value)
