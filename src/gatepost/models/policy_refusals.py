"""What is wrong with a policy's function, as a mistake that names it, and where it is written."""

from collections.abc import Iterable, Sequence
from typing import Any

from gatepost.declaring.policies import Where, declared_at
from gatepost.errors import ConfigurationError
from gatepost.models.entity import Entity
from gatepost.models.readable_rows import read_policy
from gatepost.models.truth_values import NoTruthValueError


def name_of(where: Where) -> str:
    """The function's name."""
    return getattr(where.function, "__name__", "policy")


def origin_of(where: Where) -> str:
    """The function as the log names it."""
    return f"the policy {name_of(where)} ({declared_at(where)})"


def check_readable(where: Where, entity: Entity, models: Iterable[type[Any]]) -> None:
    """Raise `ConfigurationError` where no resource serves the rows of a model that a function asks about."""
    for model in models:
        try:
            read_policy(model, entity)
        except ConfigurationError as error:
            raise refusal_of(where, error.message, error.hint) from None


def asks_for_itself(where: Where, models: Sequence[type[Any]]) -> ConfigurationError:
    """The error for a function that asks whether a row of a model is readable, which depends on the function itself:
    `models` lead from the one to the other."""
    chain, last = " -> ".join(model.__name__ for model in models), models[-1].__name__
    return refusal_of(
        where,
        f"asks for itself: whether {last} is readable depends on it ({chain}).",
        f"Write the condition in place of readable({last}).",
    )


def refusal_of(where: Where, problem: str, hint: str | None = None, source: str | None = None) -> ConfigurationError:
    """The error for a function that cannot be a policy."""
    found = source or declared_at(where)
    return ConfigurationError(f"the policy {name_of(where)} {problem}", source=found, hint=hint)


def no_truth(where: Where, error: NoTruthValueError) -> ConfigurationError:
    """The error for a condition of which Python asks whether it is true."""
    return refusal_of(
        where, f"cannot be evaluated: {error}.", "Write &, | and ~ with parentheses, or and_, or_ and not_."
    )
