"""Whether the foreign keys of the tables beside the served ones lead somewhere. Asked once, when the app is built.

Migrations and tests create all tables of a MetaData, in the order of their foreign keys. Those of served models are
checked with their attributes, by `entity.py`.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import MetaData
from sqlalchemy.exc import NoReferenceError

from gatepost.errors import ConfigurationError
from gatepost.mistakes import Mistakes


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
