"""Arrays of documents: each element is one JSON document, whatever it is.

SQLAlchemy takes a list within the list for another dimension of the array, unless the model declares how many there
are. An element of `ARRAY(JSONB)` may be a list itself, or an object or a text, which would be taken apart when it is
read behind a list.
"""

from typing import Any, cast

from sqlalchemy import ARRAY, JSON, Enum
from sqlalchemy.dialects.postgresql import DOMAIN, ENUM
from sqlalchemy.dialects.postgresql.asyncpg import AsyncpgARRAY, PGDialect_asyncpg
from sqlalchemy.types import TypeDecorator

from gatepost.database.domains import Domain
from gatepost.database.enums import NativeEnum


class Array(AsyncpgARRAY):
    """An array of documents has one dimension where the model declares no other number."""

    def _apply_item_processor(self, arr: Any, itemproc: Any, dim: int | None, collection_callable: Any) -> Any:
        if dim is None and _is_document(cast("Any", self).item_type):
            dim = 1
        return cast("Any", super())._apply_item_processor(arr, itemproc, dim, collection_callable)


def _is_document(kind: Any) -> bool:
    return isinstance(cast("Any", kind).impl_instance if isinstance(kind, TypeDecorator) else kind, JSON)


TYPES: Any = {
    **cast("Any", PGDialect_asyncpg).colspecs,
    ARRAY: Array,
    DOMAIN: Domain,
    Enum: NativeEnum,
    ENUM: NativeEnum,
}
"""What our dialects take for the types of a model: their `colspecs`."""
