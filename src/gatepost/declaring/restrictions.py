"""`Resource(where=...)`: the condition that every row of a resource satisfies, whoever asks."""

from collections.abc import Callable
from typing import Any, cast

from sqlalchemy import ColumnElement
from sqlalchemy.orm import QueryableAttribute

from gatepost.declaring.policies import ConditionOfExpression, Where
from gatepost.errors import ConfigurationError

RowExpression = ColumnElement[bool] | Callable[[Any], ColumnElement[bool]]
"""A condition on a row: an expression that names the model, or a function of the model."""


def restriction_of(given: object, location: str) -> Where | None:
    """The condition as policies have it. Raises `ConfigurationError` for what is no condition."""
    if given is None:
        return None
    if isinstance(given, QueryableAttribute):  # `where=Book.is_public`
        return Where(ConditionOfExpression(cast("Any", given).expression))
    if isinstance(given, ColumnElement):
        return Where(ConditionOfExpression(cast("ColumnElement[bool]", given)))
    if callable(given) and not isinstance(given, type):
        function = cast("Callable[[Any], ColumnElement[bool]]", given)
        return Where(lambda model, actor: function(model))
    raise ConfigurationError(
        f"is {given!r}, which is not a condition.",
        location=location,
        hint=f"Write an expression over columns, as where={_model_of(location)}.column.is_(None), or a function of the "
        "model that returns one. Python's own `is`, `and` and `not` give no SQL.",
    )


def _model_of(location: str) -> str:
    """The name of the model in `Resource(Book, ...)`."""
    return location.partition("(")[2].partition(",")[0].rstrip(")") or "Model"
