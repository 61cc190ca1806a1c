"""On what terms a database is changed without files, and what was done. Imports no Alembic."""

import msgspec


class Applied(msgspec.Struct, frozen=True):
    """What was done: the statements that ran, and what was not done, each with the reason; and which columns no model
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
