"""Policies written as `policy(function)`: called, checked, and split into a shape and its values.

A function is called per request for its values, and once per shape for its SQL. It gets the model or an alias of it,
depending on the statement, so its condition must mean the same on both. `check_function` refuses one that does not:
when the app is built if that shows with made-up actors, otherwise before the first statement is compiled.
"""

import inspect
import re
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import QueryableAttribute
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import BooleanClauseList, Grouping, Tuple, UnaryExpression
from sqlalchemy.sql.operators import custom_op, in_op, inv, not_in_op
from sqlalchemy.sql.util import _deep_deannotate  # pyright: ignore[reportPrivateUsage, reportUnknownVariableType]

from gatepost.actor import Actor
from gatepost.database.statements import NamedCondition, Statement
from gatepost.declaring.policies import Where
from gatepost.declaring.row_expressions import CallValue, Readable
from gatepost.models.actor_values import ACTOR, actor_value
from gatepost.models.bind_types import bind_type, unrounded
from gatepost.models.casts import guard_casts
from gatepost.models.entity import Entity
from gatepost.models.policy_refusals import name_of, no_truth, origin_of, refusal_of
from gatepost.models.readable_rows import ConditionOn, readables_in, with_readable
from gatepost.models.recipes import Bound
from gatepost.models.shape import Form, shape_of
from gatepost.models.table_refs import TableRef, bare, tables_read
from gatepost.models.truth_values import NoTruthValueError, without_truth_values

ROW = "gatepost_row"
"""Name of the alias on which a condition is compiled to check it."""

_MEMBERSHIP = (in_op, not_in_op)
"""Rendered as `= ANY(array)`: SQLAlchemy's IN has different SQL for every length of the list."""

TRIED_MAX = 1024
"""Shapes of conditions that passed the check are remembered up to this number; then the memory is cleared."""

_tried: set[Hashable] = set()


class CalledFunction(NamedTuple):
    """What a function says for one actor: the condition's shape, and its values in an order that depends on the shape
    alone; and the models that its `readable()` are of."""

    shape: Hashable
    values: tuple[Bound, ...]
    models: tuple[type[Any], ...]


def shape_and_values(where: Where, model: Any, actor: Actor) -> CalledFunction:
    """Call the function."""
    condition = _call(where, model, actor)
    cache_key = cast("Any", condition)._generate_cache_key()
    if cache_key is None:
        return CalledFunction(object(), (), _models(readables_in(condition)))
    values: list[Bound] = []
    asked: list[Readable] = []
    for bind in cache_key.bindparams:
        if isinstance(bind, CallValue):
            values.append(Bound(actor_value(bind.source, actor)))
        elif isinstance(bind, Readable):
            asked.append(bind)
        else:
            values.append(Bound(bind.effective_value))
    return CalledFunction(cache_key.key, tuple(values), _models(asked) if asked else ())


def _models(asked: Iterable[Readable]) -> tuple[type[Any], ...]:
    return tuple(dict.fromkeys(part.model for part in asked))


def condition_on(  # noqa: PLR0913 - what a function has said, and where it stands
    source: TableRef,
    where: Where,
    actor: Actor,
    values: Sequence[Bound],
    *,
    is_negated: bool,
    readable_on: ConditionOn | None = None,
) -> sa.ColumnElement[bool]:
    """The condition on `source`, or its negation, with `values` as binds in place of its own, and the conditions of
    `readable_on` in place of `readable()`. Raises `ConfigurationError` where it cannot become part of a statement.

    NULL counts as false and so satisfies the negation, except where the condition has guarded casts: a row whose value
    does not cast satisfies neither.
    """
    check_function(where, source.entity, actor)
    made, is_guarded = _made(source, where, actor, values)
    if readable_on is not None:
        made = with_readable(made, readable_on, is_filter=not is_negated)
    condition = _whole(made, where)
    if not is_negated:
        return condition
    return _whole(sa.not_(condition), where) if is_guarded else condition.is_not(sa.true())


def failure_of(where: Where, entity: Entity, actor: Actor) -> Exception | None:
    """What the function raises for an actor; None where it returns. An asynchronous one is not called: nothing would
    await it."""
    if inspect.iscoroutinefunction(where.function):
        return TypeError(f"{name_of(where)} is asynchronous")
    try:
        without_truth_values(where.function, entity.model, actor)
    except NoTruthValueError as error:
        raise no_truth(where, error) from None
    except Exception as error:
        return error
    return None


def condition_of(where: Where, entity: Entity, actor: Actor) -> sa.ColumnElement[bool]:
    """The condition on the entity's table as the function returns it, for inspection."""
    return _deannotated(_call(where, entity.model, actor))


def check_function(where: Where, entity: Entity, actor: Actor) -> None:
    """Raise `ConfigurationError` where the condition for this actor does not mean the same on every alias. A pair of
    shapes (on the table, on an alias) is checked once."""
    row = TableRef(entity, entity.table.alias(ROW))
    plain = _call(where, entity.model, actor)
    try:
        tried = _call(where, row.model, actor)
    except (AttributeError, TypeError, SQLAlchemyError) as error:
        raise refusal_of(
            where, f"cannot take an alias of {entity.name}: {error}.", "Use its attributes alone."
        ) from None
    shapes = [cast("Any", condition)._generate_cache_key() for condition in (plain, tried)]
    key = None if None in shapes else (where, entity, *(shape.key for shape in shapes))
    if key is not None and key in _tried:
        return
    _try(where, actor, row, plain, tried)
    if len(_tried) >= TRIED_MAX:
        _tried.clear()
    if key is not None:
        _tried.add(key)


def _try(
    where: Where, actor: Actor, row: TableRef, plain: sa.ColumnElement[bool], tried: sa.ColumnElement[bool]
) -> None:
    entity = row.entity
    if _mentions(_deannotated(tried), entity.table) or _keeps(_deannotated(plain), entity.table):
        raise refusal_of(
            where,
            f"uses {entity.name} itself in a condition on one row.",
            "Use the argument for the row, and `other = aliased("
            f"{entity.name})` for other rows of its table, in subqueries too.",
        )
    if others := tables_beside(_deannotated(plain), entity):
        raise refusal_of(where, f"is about rows of {', '.join(others)}.", subquery_hint(entity))
    for part in visitors.iterate(plain):
        if isinstance(part, CallValue) and not part.source.startswith(ACTOR):
            raise refusal_of(where, "contains a value that is not the actor's.", "Write it in computed(...).")
    for part in _conditions_in(plain):
        is_custom = isinstance(getattr(part, "operator", None), custom_op)  # whose type SQLAlchemy does not know
        if not is_custom and shape_of(part.type).form not in (Form.BOOLEAN, Form.OTHER):
            raise refusal_of(
                where, f"has {part} as a condition, which is of type {part.type}.", "Compare it with a value."
            )
    try:
        made, _ = _made(row, where, actor, shape_and_values(where, entity.model, actor).values)
        condition = _whole(with_readable(made, _true, is_filter=True), where)
        sql = Statement(sa.select(1).select_from(row.table).where(condition), name_of(where)).sql
    except SQLAlchemyError as error:
        raise refusal_of(where, f"cannot be written as SQL: {error}", "Rewrite the condition.") from None
    if len(re.findall(rf"\bAS {ROW}\b", sql)) != 1:
        raise refusal_of(
            where,
            "has a subquery that reads all rows of the table instead of the row that the policy is about.",
            "Leave `.correlate()` out, and compare with the argument outside of subqueries in FROM.",
        )
    if re.search(r"\bSELECT \*\s+WHERE\b", sql):
        raise refusal_of(where, "has a subquery that reads no table.", "Write exists().where(Other.column == ...).")


def tables_beside(condition: Any, entity: Entity) -> list[str]:
    """The names of tables that a condition would have to be joined with."""
    tables: list[Any] = [table for table in map(bare, condition._from_objects) if table is not entity.table]
    return [str(table.name) if isinstance(table, sa.Table) else f"another {table.element.name}" for table in tables]


def subquery_hint(entity: Entity) -> str:
    """What to write in place of a condition on another table."""
    name = entity.name
    return f"Compare columns of {name}, or write a subquery that begins at them: {name}.author.has(...)."


def _conditions_in(condition: Any) -> Iterator[Any]:
    """What a condition combines with and, or, not."""
    if isinstance(condition, BooleanClauseList):
        for part in condition.clauses:
            yield from _conditions_in(part)
    elif isinstance(condition, Grouping) or (isinstance(condition, UnaryExpression) and condition.operator is inv):
        yield from _conditions_in(cast("Any", condition).element)
    else:
        yield condition


def _made(source: TableRef, where: Where, actor: Actor, values: Sequence[Bound]) -> tuple[sa.ColumnElement[bool], bool]:
    """The condition, in which `readable()` still stands, and whether casts of it are guarded.

    The result is part of a statement that is cached for other actors. Its binds must therefore be exactly those that
    `shape_and_values` extracts per request, in the same order, and no other value may stay inside.
    """
    condition = _call(where, source.model, actor)
    cache_key = cast("Any", condition)._generate_cache_key()
    if cache_key is None:
        # Its shape is a new object per request (see `shape_and_values`): never reused, so its values may stay inside.
        return guard_casts(_with_actor(_of_row(_deannotated(condition), source), actor), source.table)
    condition = _of_row(_correlated(_deannotated(condition), [source.table]), source)
    binds = _values_in(cast("Any", condition)._generate_cache_key())
    # In the order of the cache key, which `shape_and_values` follows as well: the place is the only link between a bind
    # of the statement and the value that a later request computes for it.
    names = {id(bind): value.name for bind, value in zip(binds, values, strict=False)}
    renamed = _renamed(condition, names, where)
    left = cast("Any", renamed)._generate_cache_key()
    # Both checks ask whether a value escaped: deannotating and correlating must not have changed the binds or their
    # order, and after renaming no bind without one of our names may be left.
    is_same = [id(bind.value) for bind in binds] == [id(bind.value) for bind in _values_in(cache_key)]
    if not is_same or left is None or any(bind.key not in names.values() for bind in _values_in(left)):
        # A value that stays in the cached statement would be used for every later actor.
        raise refusal_of(where, "holds a value that cannot be bound.", "Rewrite the condition.")
    # Last, because a guard repeats its operand: guarded first, one value would be several binds.
    return guard_casts(renamed, source.table)


def _values_in(cache_key: Any) -> list[Any]:
    return [bind for bind in cache_key.bindparams if not isinstance(bind, Readable)]


def _with_actor(condition: sa.ColumnElement[bool], actor: Actor) -> sa.ColumnElement[bool]:
    """The condition with the actor's values inside."""

    def replace(element: Any, **_: Any) -> Any:
        if not isinstance(element, CallValue):
            return None
        kind: Any = cast("Any", element).type
        return cast("Any", sa.bindparam(None, actor_value(element.source, actor), type_=kind, unique=True))

    found: sa.ColumnElement[bool] = visitors.replacement_traverse(condition, {}, replace)
    return found


def _whole(condition: sa.ColumnElement[bool], where: Where) -> sa.ColumnElement[bool]:
    """The condition in parentheses, which SQLAlchemy omits in `(a AND b) IS true`."""
    return NamedCondition(condition, origin_of(where))


def _call(where: Where, model: Any, actor: Actor) -> sa.ColumnElement[bool]:
    try:
        result: Any = without_truth_values(where.function, model, actor)
    except NoTruthValueError as error:
        raise no_truth(where, error) from None
    except Exception as error:
        error.add_note(f"Raised by {origin_of(where)}.")
        raise
    if isinstance(result, QueryableAttribute):  # `return model.is_open`
        result = cast("Any", result).expression
    if result is True or result is False:
        return sa.true() if result else sa.false()
    if not isinstance(result, sa.ColumnElement):
        raise refusal_of(where, f"returned {type(result).__name__}, not a SQL condition or a bool.")
    return cast("sa.ColumnElement[bool]", result)


def _deannotated(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """The condition without the annotation by which SQLAlchemy keeps `relationship.has()`, and its binds, from being
    replaced."""
    return _deep_deannotate(condition, ["no_replacement_traverse"])


def _true(model: type[Any], table: sa.FromClause, may_be_null: bool) -> sa.ColumnElement[bool]:
    return sa.true()


def _correlated(condition: Any, around: Sequence[sa.FromClause], skipped: Any = None) -> Any:
    """Correlate subqueries with the policy's row and with the subqueries around them, not by accident with another
    table of the statement. `around` are the tables of these; `skipped` is the subquery whose inside this is."""

    def correlate(element: Any, **_: Any) -> Any:
        if element is skipped or not isinstance(element, sa.Select | sa.Subquery):
            return None
        if isinstance(element, sa.Subquery):  # in FROM, where PostgreSQL lets it see no other table
            return cast("Any", element)
        found = cast("Any", element)
        tables = tables_read(found)
        if found._auto_correlate:  # with subqueries as SQLAlchemy does it: what reads one table reads all rows of it
            found = found.correlate(*(around if len(tables) > 1 else around[:1]))
        return _correlated(found, [*around, *tables], found)

    return cast("Any", visitors).replacement_traverse(condition, {}, correlate)


def _of_row(condition: sa.ColumnElement[bool], source: TableRef) -> sa.ColumnElement[bool]:
    """The condition on the row of a class that has only some rows of its table, without the ORM's annotations on the
    columns of the row: for them SQLAlchemy would add the condition on the discriminator to the whole statement, which
    may be about rows of other classes."""
    if source.entity.scope is None:
        return condition

    def replace(element: Any, **_: Any) -> Any:
        table: Any = getattr(element, "table", None)
        is_of_row = table is not None and bare(table) is source.table
        return cast("Any", source.table.c[element.key]) if is_of_row else None

    return visitors.replacement_traverse(condition, {}, replace)


def _renamed(condition: sa.ColumnElement[bool], names: dict[int, str], where: Where) -> sa.ColumnElement[bool]:
    """The condition with named binds in place of its values, which are bound per request."""

    def rename(element: Any, **_: Any) -> Any:
        operator = getattr(element, "operator", None)
        if operator in _MEMBERSHIP and id(element.right) in names:
            if isinstance(element.left, Tuple):
                raise refusal_of(
                    where, "tests whether a tuple is in a list.", "Write or_(and_(...), ...), or a subquery."
                )
            compared = _renamed(element.left, names, where)
            members = sa.bindparam(names[id(element.right)], type_=sa.ARRAY(bind_type(element.left.type)))
            return compared == sa.any_(members) if operator is in_op else compared != sa.all_(members)
        name = names.get(id(element))
        return None if name is None else sa.bindparam(name, type_=unrounded(element.type))

    return visitors.replacement_traverse(condition, {}, rename)


def _mentions(condition: Any, table: sa.FromClause) -> bool:
    return any(bare(element) is table for element in _parts(condition))


def _keeps(condition: Any, table: sa.FromClause) -> bool:
    """Whether a subquery excludes the table from correlation by `correlate_except`: the policy's row would be
    excluded."""
    kept = (getattr(element, "_correlate_except", None) or () for element in visitors.iterate(condition))
    return any(bare(item) is table for items in kept for item in items)


def _parts(element: Any) -> Iterator[Any]:
    """Every part of a condition, except the inside of aliases and of the EXISTS that SQLAlchemy writes for a
    relationship: there the table may rightly appear, as the relationship's target."""
    yield element
    yield getattr(element, "table", None)  # of a column
    if isinstance(element, sa.Alias) or getattr(element, "_correlate_except", None) is not None:
        return
    for child in element.get_children():
        yield from _parts(child)
