"""`Row` and `Model`: optional declarative bases with timestamps and a version that every row should have, and a key."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import DateTime, FetchedValue, Integer, MetaData, Uuid, func, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

MANAGED = "gatepost.managed"
"""Key in `Column.info`: the column is kept by Gatepost or the database, and is read-only on the wire."""

VERSION = "gatepost.version"
"""Key in `Column.info`: the column is the row's version, which a trigger increases with every change of the row."""

FIELD = "gatepost.field"
"""Key in `Column.info`: the `Field` of the column where a resource declares none."""

PERSONAL = "gatepost.personal"
"""Key in `Column.info`: the values of the column are about a person, whichever resource shows them."""

VIEW = "gatepost.view"
"""Key in `Table.info`: it is a view of the database, which the application makes itself."""

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Names of constraints and indexes, so that migrations and error messages can rely on them."""


class Row(DeclarativeBase):
    """A row with `created_at`, `updated_at` and `version`, whose key its model declares.

    A trigger maintains the three; a request can set none of them. Any other declarative base works as well: without a
    version column, PostgreSQL's `xmin` is the version.
    """

    metadata = MetaData(naming_convention=NAMING)
    __mapper_args__ = {"eager_defaults": True}  # noqa: RUF012 - SQLAlchemy declares it as an instance's
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: DateTime(timezone=True)}

    created_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), sort_order=10, info={MANAGED: True}
    )
    updated_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True),
        server_default=func.now(),
        server_onupdate=FetchedValue(),
        sort_order=11,
        info={MANAGED: True},
    )
    version: Mapped[int] = mapped_column(
        Integer,
        server_default=text("1"),
        server_onupdate=FetchedValue(),
        sort_order=12,
        info={MANAGED: True, VERSION: True},
    )


class Model(Row):
    """A `Row` with an `id`: a UUIDv7, which the database makes and no request sets."""

    __abstract__ = True

    id: Mapped[UUID] = mapped_column(
        Uuid, primary_key=True, server_default=text("uuidv7()"), sort_order=-10, info={MANAGED: True}
    )
