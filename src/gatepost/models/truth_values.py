"""In a policy's function, conditions and columns have no truth value: `and`, `or`, `not` and `if` are refused.

SQLAlchemy gives `a == b` a truth value, by identity, so that columns can be members of sets, and attributes of models
have Python's own. In a policy they would silently drop a part: `row.team == "red" and row.is_public` would be the
comparison alone, `row.is_public and row.team == "red"` too, and `not row.team == "red"` would be `True`.
"""

import sys
from collections.abc import Callable
from threading import local
from typing import Any, cast

from sqlalchemy.orm import QueryableAttribute
from sqlalchemy.sql.elements import BinaryExpression

_MESSAGE = "a condition has no truth value: `and`, `or`, `not` and `if` cannot be applied to it"

_OF_OTHERS = "Boolean value of this clause is not defined"
"""SQLAlchemy's own refusal, for conditions other than `==` and `!=`."""

_state = local()
_truth_of: Callable[[Any], bool] = cast("Any", BinaryExpression).__bool__


class NoTruthValueError(TypeError):
    """A policy's function asked a condition for its truth value."""


def without_truth_values(function: Callable[..., Any], *arguments: Any) -> Any:
    """What the function returns. Raises `NoTruthValueError` where its code asks a condition for its truth value."""
    was_refusing = getattr(_state, "is_refusing", False)
    _state.is_refusing = True
    try:
        return function(*arguments)
    except TypeError as error:
        if str(error) == _OF_OTHERS:
            raise NoTruthValueError(_MESSAGE) from None
        raise
    finally:
        _state.is_refusing = was_refusing


def _refuse() -> None:
    if not getattr(_state, "is_refusing", False):  # first: this runs for every truth value in the process
        return
    # SQLAlchemy's own code, which the function calls, may ask: it means the identity.
    asker = sys._getframe(2).f_globals.get("__name__", "")  # pyright: ignore[reportPrivateUsage]
    if not asker.startswith("sqlalchemy."):
        raise NoTruthValueError(_MESSAGE)


def _truth_of_comparison(condition: Any) -> bool:
    _refuse()
    return _truth_of(condition)


def _truth_of_attribute(attribute: Any) -> bool:
    _refuse()
    return True


BinaryExpression.__bool__ = _truth_of_comparison  # type: ignore[method-assign]
QueryableAttribute.__bool__ = _truth_of_attribute  # type: ignore[attr-defined]
