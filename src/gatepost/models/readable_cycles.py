"""Policies that ask for themselves: whether a row may be read cannot depend on whether it may be read, in one step of
`readable()` or in several. Outside the request path: checked when the app is built.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from gatepost.declaring.policies import ConditionOfExpression, Policy, Where, functions
from gatepost.errors import ConfigurationError
from gatepost.models.catalog import Catalog
from gatepost.models.entity import Entity
from gatepost.models.policy_functions import failure_of, shape_and_values
from gatepost.models.policy_refusals import asks_for_itself
from gatepost.models.policy_trials import trial_actors
from gatepost.models.readable_rows import readables_in
from gatepost.models.sample_users import SampleUsers
from gatepost.models.served_model import ServedModel


class _Question(NamedTuple):
    """A function of a policy of `get`, and the rows that it asks about."""

    where: Where
    served: ServedModel


def readable_cycles(catalog: Catalog, users: SampleUsers | None) -> Iterator[ConfigurationError]:
    """A mistake for each circle of `get` policies that ask for one another, whichever roles their parts are for."""
    asked: dict[ServedModel, list[_Question]] = {}
    known: set[frozenset[ServedModel]] = set()

    def follow(path: Sequence[ServedModel]) -> Iterator[ConfigurationError]:
        last = path[-1]
        if last not in asked:
            asked[last] = [*_questions(last, catalog, users)]
        for question in asked[last]:
            if question.served not in path:
                yield from follow([*path, question.served])
                continue
            circle = path[path.index(question.served) :]
            if frozenset(circle) not in known:
                known.add(frozenset(circle))
                yield asks_for_itself(question.where, [each.entity.model for each in (*circle, question.served)])

    for served in catalog.used:
        yield from follow([served])


def _questions(served: ServedModel, catalog: Catalog, users: SampleUsers | None) -> Iterator[_Question]:
    """What the policy of the resource asks about, and those of the other resources that its rows belong to."""
    parts = [(served.resource, served.entity), *((other.resource, other.entity) for other in served.others)]
    for resource, entity in parts:
        for where, model in asked_models(resource.policies["get"], entity, users):
            target = catalog.find_served(model)
            if target is not None:
                yield _Question(where, target)


def asked_models(policy: Policy, entity: Entity, users: SampleUsers | None) -> Iterator[tuple[Where, type[Any]]]:
    """The models of every `readable()` in a policy, with the function that has it. Functions are called with made-up
    actors."""
    for where in functions(policy):
        if isinstance(where.function, ConditionOfExpression):
            yield from ((where, part.model) for part in readables_in(where.function.expression))
    for where, actor, _ in trial_actors(policy, entity, users, lambda actor: policy.decide(actor) is not False):
        if not isinstance(where.function, ConditionOfExpression) and failure_of(where, entity, actor) is None:
            yield from ((where, model) for model in shape_and_values(where, entity.model, actor).models)
