"""How a declaration names an attribute of a model."""

from typing import Any, TypeAlias

from sqlalchemy.orm import QueryableAttribute

Attr: TypeAlias = str | QueryableAttribute[Any]
"""An attribute of a model: its name, or itself (`Book.title`)."""
