"""What PostgreSQL makes of a column type besides the form of its values: how texts are compared, which documents can be
indexed, and the extension that the type belongs to.
"""

from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import CITEXT, HSTORE

from gatepost.models.shape import plain_type

DEFAULT_COLLATION = "default"
"""What PostgreSQL calls the collation of the database."""

_EXTENSIONS = ((CITEXT, "citext"), (HSTORE, "hstore"))


def ignores_case(kind: Any) -> bool:
    """Whether texts of the type are equal where they differ in case only."""
    return isinstance(plain_type(kind), CITEXT)


def collation_of(kind: Any) -> str:
    """The collation by which texts of the type are compared."""
    collation: str | None = getattr(plain_type(kind), "collation", None)
    return collation or DEFAULT_COLLATION


def is_padded(kind: Any) -> bool:
    """Whether texts are filled up with spaces, which PostgreSQL ignores in comparisons."""
    return isinstance(plain_type(kind), sa.CHAR)


def extension_of(kind: Any) -> str | None:
    """The extension that the type, or that of its elements, belongs to."""
    plain: Any = plain_type(kind)
    if isinstance(plain, sa.ARRAY):
        return extension_of(cast("Any", plain).item_type)
    return next((name for known, name in _EXTENSIONS if isinstance(plain, known)), None)
