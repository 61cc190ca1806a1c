"""The rows of the table of SQLAlchemy's features: for each, one request that tells whether the feature is in force.

A new row of the table is a model in `mapper_app.py` and a `Feature` here.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import mapper_app as models
from sqlalchemy import Table, event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

Values = dict[str, Any]

COMPILED, ORM = "a compiled statement", "the ORM"


@dataclass(frozen=True, kw_only=True)
class Feature:
    """A row of the table, and how it is tried.

    `name` is the first cell and `way` the second. `body` is sent: to create a row of the model, or, where there is a
    `stored` one, to change it; without a body that row is deleted. `others` are rows of other tables that are there as
    well. `expected` are values that the model's row has afterwards, and `left` the names in other tables. `listen`
    registers listeners for the test alone, and returns what removes them. `apart` names columns that differ each time.
    """

    name: str
    way: str
    model: type[Any]
    body: Values | None = None
    stored: Values | None = None
    others: Collection[tuple[type[Any] | Table, Values]] = ()
    expected: Values = field(default_factory=dict)
    left: dict[type[Any] | Table, list[str]] = field(default_factory=dict)
    listen: Callable[[], Callable[[], None]] | None = None
    apart: Collection[str] = ("id",)

    @property
    def verb(self) -> str:
        if self.stored is None:
            return "create"
        return "delete" if self.body is None else "update"


def _listen_to_flush() -> Callable[[], None]:
    def shout(session: Session, _context: Any, _instances: Any) -> None:
        for row in session.new:
            if isinstance(row, models.Flushed):
                row.name = row.name.upper()

    event.listen(AsyncSession.sync_session_class, "before_flush", shout)
    return lambda: event.remove(AsyncSession.sync_session_class, "before_flush", shout)


FEATURES = [
    Feature(name="columns", way=COMPILED, model=models.Plain, body={"name": "Ada"}, expected={"note": None}),
    Feature(
        name="columns", way=COMPILED, model=models.Plain, stored={"name": "Ada"}, body={"note": "x"},
        expected={"name": "Ada", "note": "x"},
    ),
    Feature(name="columns", way=COMPILED, model=models.Plain, stored={"name": "Ada"}),
    Feature(name="`@validates`", way=ORM, model=models.Validated, body={"name": "Ada"}, expected={"name": "ada"}),
    Feature(
        name="`@validates`", way=ORM, model=models.Validated, stored={"name": "ada"}, body={"name": "Bob"},
        expected={"name": "bob"},
    ),
    Feature(
        name="events of the mapper", way=ORM, model=models.Stamped, body={"name": "Ada"},
        expected={"stamp": "inserted Ada", "count": 0},
    ),
    Feature(
        name="events of the mapper", way=ORM, model=models.Stamped, stored={"name": "Ada", "count": 3},
        body={"name": "Bob"}, expected={"stamp": None, "count": 4},
    ),
    Feature(
        name="events of the mapper", way=ORM, model=models.Kept, stored={"name": "Ada"}, left={models.Archived: ["Ada"]}
    ),
    Feature(
        name="events of attributes and instances", way=ORM, model=models.Trimmed, body={"name": " Ada "},
        expected={"name": "Ada"},
    ),
    Feature(
        name="events of attributes and instances", way=ORM, model=models.Trimmed, stored={"name": "Ada"},
        body={"name": " Bob "}, expected={"name": "Bob"},
    ),
    Feature(
        name="events of attributes and instances", way=ORM, model=models.Begun, body={"name": "Ada"},
        expected={"origin": "made by init"},
    ),
    Feature(
        name="events of sessions", way=ORM, model=models.Flushed, body={"name": "Ada"}, expected={"name": "ADA"},
        listen=_listen_to_flush,
    ),
    Feature(
        name="`default=`, `server_default=`", way=COMPILED, model=models.Defaults, body={"name": "Ada"},
        expected={"scalar": 5, "called": 7, "expression": "MADE BY SQL", "server": "made by server"},
    ),
    Feature(
        name="`default=`, `server_default=`", way=COMPILED, model=models.Defaults,
        body={"name": "Ada", "scalar": 1, "called": 2, "expression": "c", "server": "d"},
        expected={"scalar": 1, "called": 2, "expression": "c", "server": "d"},
    ),
    Feature(
        name="defaults that read the context", way=ORM, model=models.InContext, body={"name": "Ada"},
        expected={"shouted": "ADA"},
    ),
    Feature(
        name="defaults that read the context", way=ORM, model=models.InContext,
        stored={"name": "Ada", "shouted": "ADA"}, body={"name": "Bob"}, expected={"shouted": "BOB"},
    ),
    Feature(
        name="`onupdate=`", way=COMPILED, model=models.Touched, stored={"name": "Ada"}, body={"name": "Bob"},
        expected={"called": "called", "scalar": "scalar", "expression": "expression"},
    ),
    Feature(
        name="`server_onupdate=`", way=COMPILED, model=models.Fetched, stored={"name": "Ada"}, body={"name": "Bob"},
        expected={"rank": 1},
    ),
    Feature(
        name="`deferred()`", way=COMPILED, model=models.Deferred, body={"name": "Ada", "body": "x"},
        expected={"body": "x"},
    ),
    Feature(
        name="`deferred()`", way=COMPILED, model=models.Deferred, stored={"name": "Ada", "body": "x"},
        body={"body": "y"}, expected={"body": "y"},
    ),
    Feature(
        name="`synonym()`", way=COMPILED, model=models.Synonymous, stored={"name": "Ada"}, body={"name": "Bob"},
        expected={"name": "Bob"},
    ),
    Feature(
        name="`version_id_col`", way=ORM, model=models.Versioned, body={"name": "Ada"}, expected={"revision": 1}
    ),
    Feature(
        name="`version_id_col`", way=ORM, model=models.Versioned, stored={"name": "Ada", "revision": 4},
        body={"name": "Bob"}, expected={"revision": 5},
    ),
    Feature(
        name="`Mutable`", way=ORM, model=models.Mutated, body={"name": "Ada", "data": {"a": 1}},
        expected={"data": {"a": 1}},
    ),
    Feature(
        name="`Mutable`", way=ORM, model=models.Mutated, stored={"name": "Ada", "data": {"a": 1}},
        body={"data": {"b": 2}}, expected={"data": {"a": 1, "b": 2}},
    ),
    Feature(
        name="`MappedAsDataclass`", way=COMPILED, model=models.Part, body={"name": "Ada"},
        expected={"note": None, "count": 5, "state": "new", "origin": "made by server"},
    ),
    Feature(
        name="`MappedAsDataclass`", way=COMPILED, model=models.Part,
        stored={"name": "Ada", "count": 1, "state": "old"}, body={"count": 2}, expected={"count": 2, "state": "old"},
    ),
    Feature(
        name="`default_factory=`, `__post_init__`", way=ORM, model=models.Widget, body={"name": "Ada"},
        expected={"label": "made by factory"},
    ),
    Feature(
        name="`column_property()`, hybrids", way=COMPILED, model=models.Named,
        body={"name": "Ada", "surname": "King", "email": "ada@example.com"}, expected={"surname": "King"},
    ),
    Feature(
        name="`column_property()`, hybrids", way=COMPILED, model=models.Named,
        stored={"name": "Ada", "surname": "King"}, body={"surname": "Byron"}, expected={"surname": "Byron"},
    ),
    Feature(
        name="expressions that read other rows", way=ORM, model=models.Counted, body={"name": "Ada"},
        expected={"name": "Ada"},
    ),
    Feature(
        name="expressions that read other rows", way=ORM, model=models.Counted, stored={"name": "Ada"},
        body={"name": "Bob"}, expected={"name": "Bob"},
    ),
    Feature(
        name="`Sequence()`, `Identity()`, `Computed()`", way=COMPILED, model=models.Numbered, body={"name": "Ada"},
        apart=("id", "usual", "drawn"), expected={"always": 7, "doubled": 14},
    ),
    Feature(
        name="`Sequence()`, `Identity()`, `Computed()`", way=COMPILED, model=models.Numbered,
        stored={"name": "Ada", "usual": 1, "drawn": 2}, body={"name": "Bob", "usual": 3},
        expected={"always": 7, "doubled": 14, "usual": 3, "drawn": 2},
    ),
    Feature(
        name="`Sequence()`, `Identity()`, `Computed()`", way=COMPILED, model=models.Identified,
        body={"name": "Ada", "place": 5}, expected={"place": 5},
    ),
    Feature(
        name="single-table inheritance", way=COMPILED, model=models.Truck, body={"name": "Ada"},
        expected={"kind": "truck", "load": 3},
    ),
    Feature(
        name="single-table inheritance", way=COMPILED, model=models.Truck,
        stored={"name": "Ada", "kind": "truck", "load": 3}, body={"load": 5}, expected={"kind": "truck"},
    ),
    Feature(
        name="single-table inheritance", way=COMPILED, model=models.Truck, stored={"name": "Ada", "kind": "truck"}
    ),
    Feature(name="views", way=COMPILED, model=models.Viewed, body={"name": "Ada"}, expected={"name": "Ada"}),
    Feature(
        name="views", way=COMPILED, model=models.Viewed, stored={"name": "Ada"}, body={"name": "Bob"},
        expected={"name": "Bob"},
    ),
    Feature(
        name="imperative mapping", way=COMPILED, model=models.Imperative, body={"name": "Ada"}, expected={"note": None}
    ),
    Feature(
        name="imperative mapping", way=COMPILED, model=models.Imperative, stored={"name": "Ada"},
        body={"note": "x"}, expected={"note": "x"},
    ),
    Feature(
        name="`default_factory=`, `__post_init__`", way=ORM, model=models.ImperativeDataclass, body={"name": "Ada"},
        expected={"label": "made by dataclass"},
    ),
    Feature(
        name="`__init__`, `__setattr__`", way=ORM, model=models.Constructed, body={"name": "Ada"},
        expected={"slug": "ada"},
    ),
    Feature(
        name="`__init__`, `__setattr__`", way=ORM, model=models.Strict, stored={"name": "ada"}, body={"name": "BOB"},
        expected={"name": "bob"},
    ),
    Feature(
        name="cascades that foreign keys say as well", way=COMPILED, model=models.Shelf,
        stored={"id": 1, "name": "first"},
        others=[(models.Owned, {"name": "a", "shelf_id": 1}), (models.Loose, {"name": "b", "shelf_id": 1}),
                (models.Left, {"name": "c", "shelf_id": 1}), (models.Written, {"name": "d", "shelf_id": 1})],
        left={models.Owned: [], models.Loose: ["b"], models.Left: [], models.Written: ["d"]},
    ),
    Feature(
        name="cascades of the ORM alone", way=ORM, model=models.Box, stored={"id": 1, "name": "first"},
        others=[(models.Tag, {"id": 1, "name": "t"}), (models.tagging, {"box_id": 1, "tag_id": 1}),
                (models.Packed, {"name": "a", "box_id": 1}), (models.Near, {"name": "b", "box_id": 1})],
        left={models.Packed: [], models.Near: ["b"], models.Tag: ["t"], models.tagging: []},
    ),
]  # fmt: skip
"""In the order of the table; a feature may be tried more than once."""
