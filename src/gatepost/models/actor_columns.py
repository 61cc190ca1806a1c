"""Columns of the actor's user in expressions: `actor_column()` names a column that actors have, else it is refused, in
policies and DTOs when the app is built, in a `Select` of an endpoint when it is first returned."""

from collections.abc import Collection, Iterable
from typing import Any

import msgspec

from gatepost.declaring.policies import ConditionOfExpression, Policy, functions
from gatepost.declaring.row_expressions import CallValue
from gatepost.errors import ConfigurationError
from gatepost.models.adapted_expressions import parts_of
from gatepost.models.dto_members import ComputedMember, DTOMembers
from gatepost.models.entity import Entity
from gatepost.models.policy_functions import condition_of, failure_of
from gatepost.models.policy_refusals import name_of
from gatepost.models.policy_trials import Reach, trial_actors
from gatepost.models.sample_users import SampleUsers


class ActorColumns(msgspec.Struct, frozen=True):
    """The columns that actors have: `names` of the model `users`."""

    users: type[Any]
    names: Collection[str]

    def check_policy(
        self, policy: Policy, entity: Entity, samples: SampleUsers | None, is_reached: Reach, location: str
    ) -> None:
        """Raise `ConfigurationError` for another column in the conditions of a policy; functions are called with
        made-up users."""
        for where in functions(policy):
            if isinstance(where.function, ConditionOfExpression):
                self._check(where.function.expression, f"{location}, policy({name_of(where)})")
        for where, actor, _ in trial_actors(policy, entity, samples, is_reached):
            is_function = not isinstance(where.function, ConditionOfExpression)
            if is_function and failure_of(where, entity, actor) is None:
                self._check(condition_of(where, entity, actor), f"{location}, policy({name_of(where)})")

    def check_dto(self, dto: DTOMembers) -> None:
        """Raise `ConfigurationError` for another column in the expressions of a DTO."""
        for member in dto.members:
            if isinstance(member, ComputedMember):
                self._check(member.field.expression, f"{dto.dto.__name__}.{member.name}")

    def complaint(self, parts: Iterable[Any]) -> str | None:
        """What is wrong with the first of these parts of an expression that names another column."""
        for part in parts:
            owner = part.owner if isinstance(part, CallValue) else None
            if owner is None:
                continue
            name = part.source.rpartition(".")[2]
            if not issubclass(self.users, owner):
                return f"has actor_column({owner.__name__}.{name}), and users are of {self.users.__name__}."
            if name not in self.names:
                return f"has actor_column({owner.__name__}.{name}), which no actor has."
        return None

    def _check(self, expression: Any, location: str) -> None:
        complaint = self.complaint(parts_of(expression))
        if complaint is not None:
            hint = f"Name a column of {self.users.__name__}, or compare with actor_id."
            raise ConfigurationError(complaint, location=location, hint=hint)
