"""What SQL expressions about a row are made of beyond SQLAlchemy: `count(Article.favorites)`, and values of the call,
`actor_id`, `actor_column(User.tenant_id)` and `readable(Favorite)`.

An expression of `computed()` or `policy()` is made once, when its module is imported; what stands for the caller in it
is bound per call. `models` replaces these placeholders where it compiles a statement.
"""

from typing import Any, TypeVar, cast

from sqlalchemy import BindParameter, Boolean, ColumnElement, func, inspect, select
from sqlalchemy.orm import QueryableAttribute, RelationshipProperty, aliased
from sqlalchemy.sql.visitors import InternalTraversal
from sqlalchemy.types import TypeEngine

from gatepost.errors import ConfigurationError

T = TypeVar("T")

TOKEN = "token"  # noqa: S105 - the name of a source
"""The source of the `CallValue` that `Accounts().token()` is."""


class CallValue(BindParameter[T]):
    """A bind whose value each call gives: `source` says which one, such as `"actor.id"`; `owner` is the model of a
    column of the actor."""

    inherit_cache = True

    def __init__(self, source: str, kind: TypeEngine[T] | None = None, owner: type[Any] | None = None) -> None:
        super().__init__(f"call.{source}", type_=kind, required=True)
        self.source = source
        self.owner = owner


class Readable(BindParameter[bool]):
    """A placeholder for the conditions of the policy by which a row of `model`, a mapped class, is read.

    `row` is a column of the row. It is a part of the expression, so that the placeholder goes with the row wherever
    SQLAlchemy puts another alias in place of the table, and so that the table is among those that a SELECT reads.
    """

    inherit_cache = True
    _traverse_internals = [  # noqa: RUF012 - as SQLAlchemy declares it
        *BindParameter._traverse_internals,  # pyright: ignore[reportPrivateUsage]
        ("row", InternalTraversal.dp_clauseelement),
    ]

    def __init__(self, model: type[Any], row: ColumnElement[Any]) -> None:
        super().__init__(f"readable.{model.__name__}", type_=Boolean(), required=True)
        self.model = model
        self.row: Any = row

    def _gen_cache_key(self, anon_map: Any, bindparams: Any) -> Any:
        found: Any = cast("Any", super())._gen_cache_key(anon_map, bindparams)
        return None if found is None else (*found, self.row._gen_cache_key(anon_map, bindparams))

    @property
    def _from_objects(self) -> Any:
        return self.row._from_objects

    def _compiler_dispatch(self, visitor: Any, **options: Any) -> str:
        """What a compiler writes that knows of it; others show it as it was written."""
        known = getattr(visitor, "visit_readable", None)
        return f"readable({self.model.__name__})" if known is None else known(self, **options)


actor_id: ColumnElement[Any] = CallValue("actor.id")
"""The actor's id; NULL for the anonymous. It takes the type of what it is compared with."""


def actor_column(column: QueryableAttribute[T]) -> ColumnElement[T]:
    """A column of the actor's user, as `Actor.user` has it; NULL for the anonymous."""
    if not isinstance(column, QueryableAttribute):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError(
            f"actor_column({column!r}) names no column.", hint="Write actor_column(User.tenant_id)."
        )
    return CallValue(f"actor.user.{column.key}", cast("Any", column).expression.type, cast("Any", column).class_)


def readable(model: type[Any]) -> ColumnElement[bool]:
    """Whether the actor may get the row of this model, or of an alias of it, in the same expression. Without it, all
    rows of other tables count: policies do not apply inside expressions."""
    found: Any = cast("Any", inspect)(model, raiseerr=False)
    if not (getattr(found, "is_mapper", False) or getattr(found, "is_aliased_class", False)):
        raise ConfigurationError(
            f"readable({getattr(model, '__name__', repr(model))}) names no model.",
            hint="Write readable(Favorite), or readable(other) for the rows of other = aliased(Favorite).",
        )
    mapper: Any = found.mapper
    row = getattr(model, mapper.get_property_by_column(mapper.primary_key[0]).key)
    return Readable(mapper.class_, row.expression)


def _relationship_of(given: Any) -> str:
    """How a relationship of the same model is written, for hints."""
    model: Any = getattr(given, "class_", None)
    if model is None:
        return "Model.relationship"
    names: list[str] = [item.key for item in inspect(model).relationships if item.uselist]
    return f"{model.__name__}.{names[0]}" if names else "Model.relationship"


def count(relation: QueryableAttribute[Any]) -> ColumnElement[int]:
    """How many rows a to-many relation leads to: `computed(count(Article.favorites))`."""
    found = cast("Any", relation)
    if not isinstance(getattr(found, "property", None), RelationshipProperty):
        raise ConfigurationError(
            f"count({relation}) is not of a relationship.", hint=f"Write count({_relationship_of(found)})."
        )
    target = aliased(found.property.mapper.class_)
    counted = select(func.count()).select_from(target).where(found.of_type(target)).correlate(found.class_)
    return counted.scalar_subquery()
