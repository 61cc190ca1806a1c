"""Columns of the actor's user in expressions: `actor_column()` is of the users' model, else it is refused when the app
is built."""

from typing import Any

from gatepost.declaring.policies import ConditionOfExpression, Policy, functions
from gatepost.declaring.row_expressions import CallValue
from gatepost.errors import ConfigurationError
from gatepost.models.adapted_expressions import parts_of
from gatepost.models.dto_members import ComputedMember, DTOMembers


def check_policy(policy: Policy, users: type[Any], location: str) -> None:
    """Raise `ConfigurationError` for a column of another model in the expressions of a policy."""
    for where in functions(policy):
        if isinstance(where.function, ConditionOfExpression):
            _check(where.function.expression, users, f"{location}, policy({where.function.__name__})")


def check_dto(dto: DTOMembers, users: type[Any]) -> None:
    """Raise `ConfigurationError` for a column of another model in the expressions of a DTO."""
    for member in dto.members:
        if isinstance(member, ComputedMember):
            _check(member.field.expression, users, f"{dto.dto.__name__}.{member.name}")


def _check(expression: Any, users: type[Any], location: str) -> None:
    for part in parts_of(expression):
        owner = part.owner if isinstance(part, CallValue) else None
        if owner is not None and not issubclass(users, owner):
            raise ConfigurationError(
                f"has actor_column({owner.__name__}.{part.source.rpartition('.')[2]}), and users are of "
                f"{users.__name__}.",
                location=location,
                hint=f"Name a column of {users.__name__}, or compare with actor_id.",
            )
