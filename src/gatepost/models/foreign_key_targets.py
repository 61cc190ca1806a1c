"""Whether the foreign keys of the tables beside the served ones lead somewhere. Asked once, when the app is built.

Migrations and tests create all tables of a MetaData, in the order of their foreign keys. Those of served models are
checked with their attributes, by `entity.py`.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from sqlalchemy import MetaData
from sqlalchemy.exc import NoReferenceError

from gatepost.errors import ConfigurationError
from gatepost.hints import nearest
from gatepost.mistakes import Mistakes

if TYPE_CHECKING:
    from sqlalchemy.orm import Mapper


def check_foreign_keys(metadata: MetaData, served: Collection[type[Any]], mistakes: Mistakes) -> None:
    """Keep as mistakes the foreign keys without a target in tables other than those of the models `served`."""
    tables = {getattr(model, "__table__", None) for model in served}
    for table in metadata.tables.values():
        for key in table.foreign_keys if table not in tables else ():
            try:
                _ = key.column
            except NoReferenceError as error:
                mistake = ConfigurationError(
                    f"has a foreign key whose target does not exist: {error}.",
                    location=f"{table.fullname}.{key.parent.name}",
                    hint="Import the model it names before App(...), in the same MetaData, or correct the name.",
                )
                mistakes.add(mistake)


def misspelt_key(mapper: "Mapper[Any]") -> ConfigurationError | None:
    """A foreign key without a target among the models that are declared together with one; None where all have one.
    SQLAlchemy refuses the relationships over it first, and says that there is no foreign key."""
    for other in sorted(mapper.registry.mappers, key=lambda each: each.class_.__name__):
        for name, column in other.columns.items():
            for key in getattr(column, "foreign_keys", ()):
                table, _, referred = key.target_fullname.rpartition(".")
                if table in key.parent.table.metadata.tables:
                    continue
                near = nearest(table, key.parent.table.metadata.tables)
                hint = f"Write ForeignKey({f'{near}.{referred}'!r})." if near else "Name a table that a model has."
                return ConfigurationError(
                    f"refers to {key.target_fullname!r}, and there is no table {table!r}.",
                    location=f"{other.class_.__name__}.{name}",
                    hint=hint,
                )
    return None
