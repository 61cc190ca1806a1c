"""A workshop whose endpoints return `Select`s of every shape that SQLAlchemy has: what `test_select_shapes.py` calls.

Each shape is a function of the values that differ between two calls."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Annotated, Any

from annotated_types import Len
from msgspec import Struct
from sqlalchemy import (
    Exists,
    ForeignKey,
    Integer,
    Numeric,
    Select,
    String,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    column,
    exists,
    extract,
    false,
    func,
    lateral,
    literal,
    literal_column,
    or_,
    select,
    text,
    true,
    tuple_,
    type_coerce,
    union,
    values,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, array
from sqlalchemy.orm import Mapped, aliased, mapped_column, relationship, with_loader_criteria
from sqlalchemy.types import TypeDecorator, UserDefinedType

from gatepost import Actor, App, Controller, Model, Query, Resource, Service, anyone, get, policy


class Upper(TypeDecorator[str]):
    """A text that is compared in capitals: its bind is an expression."""

    impl = Text
    cache_ok = True

    def bind_expression(self, bindvalue: Any) -> Any:
        return func.upper(bindvalue)


class Uncached(UserDefinedType[str]):
    """A type that SQLAlchemy keeps nothing of."""

    cache_ok = False

    def get_col_spec(self, **_: Any) -> str:
        return "text"


class Bench(Model):
    __tablename__ = "shape_benches"

    name: Mapped[Annotated[str, Len(1, 50)]]


class Piece(Model):
    __tablename__ = "shape_pieces"

    name: Mapped[Annotated[str, Len(1, 50)]] = mapped_column(String(5))
    size: Mapped[int]
    weight: Mapped[Any] = mapped_column(Numeric(10, 2))
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text))
    notes: Mapped[dict[str, Any]] = mapped_column(JSONB)
    bench_id: Mapped[Any] = mapped_column(ForeignKey("shape_benches.id"), index=True)
    above_id: Mapped[Any] = mapped_column(ForeignKey("shape_pieces.id"), index=True, nullable=True)
    bench: Mapped[Bench] = relationship()
    above: Mapped["Piece | None"] = relationship(remote_side="Piece.id")
    below: Mapped[list["Piece"]] = relationship(viewonly=True)


Shape = Callable[..., Select[Any]]

other = aliased(Piece)


def _sizes(least: int) -> Any:
    return select(Piece.bench_id, func.sum(Piece.size).label("total")).where(Piece.size >= least)


def joined_subquery(least: int) -> Select[Any]:
    totals = _sizes(least).group_by(Piece.bench_id).subquery()
    return select(Piece).join(totals, totals.c.bench_id == Piece.bench_id).where(totals.c.total > least)


def joined_aggregates(least: int, most: int) -> Select[Any]:
    totals = _sizes(least).group_by(Piece.bench_id).having(func.sum(Piece.size) < most).subquery()
    return select(Piece).join(totals, and_(totals.c.bench_id == Piece.bench_id, Piece.size < most))


def joined_array(name: str) -> Select[Any]:
    names = select(Piece.bench_id, func.array_agg(Piece.name).label("names")).group_by(Piece.bench_id).subquery()
    return select(Piece).join(names, names.c.bench_id == Piece.bench_id).where(literal(name) == func.any(names.c.names))


def common_table(least: int) -> Select[Any]:
    found = select(Piece.id).where(Piece.size >= least).cte("page")
    return select(Piece).where(Piece.id.in_(select(found.c.id)))


def joined_common_table(least: int, name: str) -> Select[Any]:
    found = select(Bench.id).where(Bench.name == name).cte()
    return select(Piece).join(found, found.c.id == Piece.bench_id).where(Piece.size >= least)


def recursive_table(name: str, depth: int) -> Select[Any]:
    top = select(Piece.id, literal(0).label("depth")).where(Piece.name == name).cte(recursive=True)
    tree = top.union_all(
        select(other.id, top.c.depth + 1).join(top, other.above_id == top.c.id).where(top.c.depth < depth)
    )
    return select(Piece).where(Piece.id.in_(select(tree.c.id)))


def exists_above(name: str) -> Select[Any]:
    found: Exists = exists().where(other.id == Piece.above_id, other.name == name)
    return select(Piece).where(found)


def lateral_join(least: int, count: int) -> Select[Any]:
    near = lateral(select(other.size).where(other.bench_id == Piece.bench_id, other.size > least).limit(count))
    return select(Piece).join(near, true()).where(near.c.size == Piece.size)


def offset_in_subquery(count: int, skip: int) -> Select[Any]:
    return select(Piece).where(Piece.id.in_(select(other.id).order_by(other.size).limit(count).offset(skip)))


def values_table(*names: str) -> Select[Any]:
    found = values(column("name", Text), column("n", Integer), name="wanted").data(
        [(name, number) for number, name in enumerate(names)]
    )
    return select(Piece).join(found, found.c.name == Piece.name).where(found.c.n >= 0)


def listed_in_text(*sizes: int) -> Select[Any]:
    found = text("shape_pieces.size IN :sizes").bindparams(bindparam("sizes", list(sizes), expanding=True))
    return select(Piece).where(found)


def window(least: int, preceding: int) -> Select[Any]:
    ranked = select(
        Piece.id,
        func.sum(Piece.size).over(order_by=Piece.size, rows=(-preceding, 0)).label("running"),
    ).subquery()
    return select(Piece).join(ranked, ranked.c.id == Piece.id).where(ranked.c.running > least)


def unions(least: int, name: str) -> Select[Any]:
    small, named = select(Piece.id).where(Piece.size < least), select(Piece.id).where(Piece.name == name)
    return select(Piece).where(Piece.id.in_(union(small, named)))


def scalar_subquery(factor: int) -> Select[Any]:
    average = select(func.avg(other.size)).where(other.bench_id == Piece.bench_id).scalar_subquery()
    return select(Piece).where(Piece.size * factor > average)


SHAPES: dict[str, tuple[Shape, Sequence[Any], Sequence[Any]]] = {
    "comparison": (lambda size: select(Piece).where(Piece.size == size), [1], [4]),
    "numbers": (lambda weight: select(Piece).where(Piece.weight < weight), [Decimal("1.5")], [Decimal("2.5")]),
    "joined subquery": (joined_subquery, [2], [4]),
    "joined subquery with HAVING": (joined_aggregates, [1, 9], [2, 4]),
    "joined array_agg": (joined_array, ["p1"], ["p4"]),
    "common table": (common_table, [2], [5]),
    "joined common table": (joined_common_table, [2, "b0"], [1, "b1"]),
    "recursive common table": (recursive_table, ["p0", 1], ["p1", 5]),
    "EXISTS": (exists_above, ["p0"], ["p1"]),
    "has": (lambda name: select(Piece).where(Piece.bench.has(Bench.name == name)), ["b0"], ["b1"]),
    "any": (lambda size: select(Piece).where(Piece.below.any(Piece.size > size)), [2], [4]),
    "any with a list": (lambda *sizes: select(Piece).where(Piece.below.any(Piece.size.in_(sizes))), [2, 3], [5]),
    "negated has": (lambda name: select(Piece).where(~Piece.above.has(Piece.name == name)), ["p0"], ["p1"]),
    "join": (lambda name: select(Piece).join(Piece.bench).where(Bench.name.like(name)), ["b0%"], ["b1%"]),
    "value in ON": (
        lambda size: select(Piece).join(other, and_(other.id == Piece.above_id, other.size > size)),
        [0],
        [2],
    ),
    "outer self join": (
        lambda name: (
            select(Piece).outerjoin(other, other.id == Piece.above_id).where(other.name.is_distinct_from(name))
        ),
        ["p0"],
        ["p1"],
    ),
    "lateral": (lateral_join, [0, 1], [1, 5]),
    "list": (lambda *sizes: select(Piece).where(Piece.size.in_(sizes)), [1, 2, 3], [4]),
    "empty list": (lambda *sizes: select(Piece).where(Piece.size.in_(sizes)), [], [2]),
    "excluded list": (lambda *sizes: select(Piece).where(Piece.size.not_in(sizes)), [], [2, 4, 5]),
    "list of longer texts": (lambda *names: select(Piece).where(Piece.name.in_(names)), ["pieces"], ["piece", "p2"]),
    "list of tuples": (
        lambda *rows: select(Piece).where(tuple_(Piece.size, Piece.name).in_(rows)),
        [(1, "p1"), (2, "p9")],
        [(2, "p2"), (3, "p3"), (4, "p4")],
    ),
    "no tuples": (lambda *rows: select(Piece).where(tuple_(Piece.size, Piece.name).in_(rows)), [], [(2, "p2")]),
    "excluded tuples": (
        lambda *rows: select(Piece).where(tuple_(Piece.size, Piece.name).not_in(rows)),
        [(2, "p2")],
        [],
    ),
    "tuples of a subquery": (
        lambda size: select(Piece).where(
            tuple_(Piece.size, Piece.name).in_(select(other.size, other.name).where(other.size > size))
        ),
        [1],
        [3],
    ),
    "list of arrays": (
        lambda *lists: select(Piece).where(Piece.tags.in_(lists)),
        [["t0", "all"]],
        [["t1", "all"], ["t2", "all"]],
    ),
    "list of documents": (
        lambda *found: select(Piece).where(Piece.notes["deep"]["kind"].in_([literal(each, JSONB) for each in found])),
        ["odd"],
        ["even", "none"],
    ),
    "list of plain documents": (
        lambda *found: select(Piece).where(Piece.notes.in_(bindparam(None, found, JSONB, expanding=True))),
        [{"size": 1, "deep": {"name": "p1", "kind": "odd"}}],
        [{"size": 2, "deep": {"name": "p2", "kind": "even"}}, {}],
    ),
    "list of expressions of binds": (
        lambda *names: select(Piece).where(func.upper(Piece.name).in_([func.upper(name) for name in names])),
        ["p1", "p2"],
        ["p3", "p4"],
    ),
    "list of a decorated type": (
        lambda *names: select(Piece).where(type_coerce(func.upper(Piece.name), Upper).in_(names)),
        ["p1", "p2"],
        ["p3"],
    ),
    "list in text of params": (
        lambda *sizes: (
            select(Piece)
            .where(text("shape_pieces.size IN :sizes").bindparams(bindparam("sizes", expanding=True)))
            .params(sizes=sizes)
        ),
        [1, 2],
        [3],
    ),
    "list of params": (
        lambda *sizes: select(Piece).where(Piece.size.in_(bindparam("sizes", expanding=True))).params(sizes=sizes),
        [1, 2],
        [3],
    ),
    "list in text": (listed_in_text, [1, 2], [3]),
    "casts": (
        lambda size, name: select(Piece).where(
            cast(literal(size), Integer) < Piece.size, cast(name, Text) != cast(Piece.name, Text)
        ),
        ["3", "p5"],
        ["1", "p2"],
    ),
    "functions": (
        lambda start, count: select(Piece).where(
            func.substr(Piece.name, start, count) == func.left("1234", count), func.coalesce(Piece.size, 0) >= 0
        ),
        [2, 1],
        [9, 0],
    ),
    "CASE": (
        lambda size, name: select(Piece).where(case((Piece.size > size, name), else_="none") == Piece.name),
        [0, "p3"],
        [0, "p4"],
    ),
    "CASE in the order": (
        lambda size: select(Piece).order_by(case((Piece.size == size, 0), else_=1), Piece.size).limit(3),
        [4],
        [2],
    ),
    "path into a document": (
        lambda key, value: select(Piece).where(Piece.notes["deep"][key].astext == value),
        ["name", "p1"],
        ["kind", "even"],
    ),
    "path of several keys": (
        lambda *path: select(Piece).where(Piece.notes[path].astext == "p2"),
        ["deep", "name"],
        ["deep", "kind"],
    ),
    "documents": (
        lambda value: select(Piece).where(Piece.notes.contains({"deep": {"kind": value}})),
        ["odd"],
        ["even"],
    ),
    "arrays": (lambda *tags: select(Piece).where(Piece.tags.contains(tags)), ["t0"], ["all", "t1"]),
    "array of expressions": (
        lambda first, second: select(Piece).where(Piece.tags.overlap(array([cast(first, Text), second]))),
        ["t0", "t9"],
        ["t1", "t2"],
    ),
    "an element of an array": (lambda place: select(Piece).where(Piece.tags[place] == "all"), [2], [1]),
    "a slice of an array": (
        lambda first, last: select(Piece).where(func.cardinality(Piece.tags[first:last]) == 1),
        [2, 3],
        [1, 2],
    ),
    "any of an array": (lambda tag: select(Piece).where(literal(tag) == any_(Piece.tags)), ["t0"], ["t1"]),
    "limit and offset": (
        lambda limit, offset: select(Piece).order_by(Piece.size).limit(limit).offset(offset),
        [2, 0],
        [3, 1],
    ),
    "limit of an expression": (
        lambda limit: select(Piece).order_by(Piece.size.desc()).limit(literal(limit) + 1),
        [0],
        [2],
    ),
    "limit in a subquery": (offset_in_subquery, [1, 0], [2, 1]),
    "limit with a joined subquery": (lambda least: joined_subquery(least).order_by(Piece.size).limit(2), [2], [4]),
    "VALUES": (values_table, ["p1", "p2"], ["p3"]),
    "text": (
        lambda size: select(Piece).where(text("shape_pieces.size > :size").bindparams(size=size)),
        [2],
        [4],
    ),
    "a name of Gatepost's own": (
        lambda size: select(Piece).where(Piece.size > bindparam("actor_id", size), Piece.size < bindparam("b0", 99)),
        [2],
        [4],
    ),
    "a name twice": (
        lambda size: select(Piece).where(
            or_(Piece.size == bindparam("size", size), Piece.size == bindparam("size", size) + 1)
        ),
        [2],
        [4],
    ),
    "params without a key": (
        lambda size: (
            select(Piece).where(Piece.size > bindparam("size"), cast("x", Uncached()) == "x").params(size=size)
        ),
        [2],
        [4],
    ),
    "params": (lambda size: select(Piece).where(Piece.size > bindparam("size", 0)).params(size=size), [2], [4]),
    "BETWEEN": (lambda least, most: select(Piece).where(Piece.size.between(least, most)), [1, 3], [4, 4]),
    "patterns": (
        lambda one, two: select(Piece).where(Piece.name.contains(one, autoescape=True), Piece.name.regexp_match(two)),
        ["1", "^p"],
        ["2", "2$"],
    ),
    "window": (window, [3, 1], [9, 2]),
    "UNION": (unions, [1, "p4"], [2, "p5"]),
    "scalar subquery": (scalar_subquery, [1], [3]),
    "literals": (
        lambda size: select(Piece).where(Piece.size > bindparam(None, size, literal_execute=True)),
        [2],
        [4],
    ),
    "a type without a key": (lambda name: select(Piece).where(Piece.name == literal(name, Uncached())), ["p1"], ["p2"]),
    "a type without a key, and a list": (
        lambda *names: select(Piece).where(cast("x", Uncached()) == "x", Piece.name.in_(names)),
        ["p1", "%(actor_id)s"],
        ["p2", "p3"],
    ),
    "constants": (
        lambda size: select(Piece).where(or_(false(), Piece.size > size, literal_column("1") == 2)),
        [2],
        [4],
    ),
    "parts of dates": (
        lambda year, size: select(Piece).where(extract("year", Piece.created_at) > year, Piece.size < size),
        [2000, 3],
        [2001, 5],
    ),
}


class Shapes(Controller):
    """The Selects, as Gatepost shows them and as SQLAlchemy runs them."""

    path = "shapes"

    @get("/{name}", allow=anyone)
    async def shown(self, name: str, turn: int) -> Select[Piece]:
        make, *turns = SHAPES[name]
        return make(*turns[turn])

    @get("/{name}/plain", allow=anyone)
    async def plain(self, name: str, turn: int, pieces: Service[Piece]) -> list[str]:
        make, *turns = SHAPES[name]
        return [piece.name for piece in await pieces.session.scalars(make(*turns[turn]))]


class Window(Struct, frozen=True):
    """Query parameters as a whole."""

    first: int = 0
    rows: int = 2


class Windows(Controller):
    """Selects whose limits come from clients."""

    path = "windows"

    @get("/benches", allow=anyone, paging=False)
    async def benches(self) -> Select[Bench]:
        return select(Bench).order_by(Bench.name)

    @get("/pieces", allow=anyone)
    async def pieces(self, limit: int = 2, skip: int = 0) -> Select[Piece]:
        return select(Piece).order_by(Piece.size).limit(limit).offset(skip)

    @get("/named", allow=anyone, filters=True)
    async def named(self, limit: int = 2) -> Select[Piece]:
        return select(Piece).order_by(Piece.size).limit(limit)

    @get("/unlimited", allow=anyone)
    async def unlimited(self, after: str | None = None) -> Select[Piece]:
        return select(Piece) if after is None else select(Piece).where(Piece.name > after)

    @get("/counted", allow=anyone)
    async def counted(self, count: int = 0) -> Select[Piece]:
        return select(Piece).where(Piece.size >= count)

    @get("/class", allow=anyone)
    async def of_class(self, window: Annotated[Window, Query()]) -> Select[Piece]:
        return select(Piece).order_by(Piece.size).limit(window.rows).offset(window.first)

    @get("/numbered", allow=anyone)
    async def numbered(self, number: int) -> Select[Piece]:
        return select(Piece).order_by(Piece.size).limit(2).offset((number - 1) * 2)

    @get("/computed", allow=anyone)
    async def computed(self, skip: int) -> Select[Piece]:
        return select(Piece).order_by(Piece.size).limit(2).offset(literal(skip) * 1)

    @get("/inner", allow=anyone)
    async def inner(self, rows: int) -> Select[Piece]:
        return select(Piece).where(Piece.id.in_(select(other.id).limit(rows)))

    @get("/names", allow=anyone)
    async def names(self, rows: int) -> Select[str]:
        return select(Piece.name).order_by(Piece.size).limit(rows)

    @get("/names/computed", allow=anyone)
    async def computed_names(self, rows: int) -> Select[str]:
        return select(Piece.name).order_by(Piece.size).limit(literal(rows) * 1)

    @get("/constant", allow=anyone)
    async def constant(self) -> Select[Piece]:
        return select(Piece).order_by(Piece.size).limit(-1)

    @get("/required", allow=anyone)
    async def required(self) -> Select[Piece]:
        return select(Piece).where(Piece.size == bindparam("size"))

    @get("/criteria", allow=anyone)
    async def criteria(self) -> Select[Piece]:
        return select(Piece).options(with_loader_criteria(Piece, Piece.size > 2))


def not_heavy(model: type[Piece], actor: Actor) -> object:
    """A policy with a value of its own."""
    return model.size < (100 if actor.id is None else 101)


app = App(
    Resource(Bench, path="benches", read=anyone),
    Resource(Piece, path="pieces", read=policy(not_heavy), sort=["name"]),
    controllers=[Shapes, Windows],
)
