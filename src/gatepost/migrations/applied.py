"""On what terms a database is changed without files, and what was done. Imports no Alembic."""

from collections.abc import Sequence

import msgspec

from gatepost.errors import ConfigurationError


class Applied(msgspec.Struct, frozen=True):
    """What was done: the statements that ran, and what was not done, each with the reason; and what no model
    has any more."""

    statements: list[str]
    refused: list[str]
    kept: list[str] = []


class ApplyOptions(msgspec.Struct, frozen=True):
    """On what terms a database is changed.

    Of an `embedded` one everything is Gatepost's; of any other what the record lists (`ownership.py`). `extend` adds
    to tables of others. With `all_or_nothing` a refusal raises ConfigurationError with the whole list, and nothing is
    changed.
    """

    embedded: bool = False
    extend: bool = False
    all_or_nothing: bool = False


class SchemaRefused(ConfigurationError):
    """The database cannot be brought to the models, and nothing was changed; `refused` says why, sentence by
    sentence."""

    def __init__(self, message: str, *, location: str, hint: str, refused: Sequence[str]) -> None:
        super().__init__(message, location=location, hint=hint)
        self.refused = tuple(refused)
