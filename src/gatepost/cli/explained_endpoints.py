"""What `gatepost explain` says of an own endpoint: where each parameter comes from, and how its transaction begins.

Nothing of its method is run.
"""

from collections.abc import Iterator
from typing import Any

from gatepost.actor import Actor
from gatepost.call import SAFE, Call
from gatepost.cli.explanations import BoundParameter
from gatepost.controllers.bound_endpoints import BoundEndpoint
from gatepost.controllers.injection import OfService
from gatepost.controllers.row_endpoints import handed_back
from gatepost.database.transactions import READ_COMMITTED
from gatepost.openapi.described import DescribedEndpoint
from gatepost.services.service_registry import ServiceRegistry


def parameters_of(described: DescribedEndpoint, call: Call) -> list[BoundParameter]:
    """Where each parameter of the method comes from, with what the request gives for it. Raises the refusal of what it
    gives in its path, its query string and its headers."""
    return list(_parameters(described, call))


def transaction_of(bound: BoundEndpoint, registry: ServiceRegistry) -> str:
    """How the transaction begins in which the method runs."""
    if not bound.needs_unit:
        return "none: it takes nothing of the database"
    if bound.only_selects or reads_its_row_alone(bound, registry):
        return "none: the one statement is its own"
    models = bound.isolating(lambda model: "get" in registry.overridden(model))
    isolation, attempts = registry.transaction_of(models)
    begin = "BEGIN" if isolation == READ_COMMITTED else f"BEGIN ISOLATION LEVEL {isolation.upper()}"
    if bound.method.route.method in SAFE:
        begin += " READ ONLY"
    return begin if attempts == 1 else f"{begin}, tried up to {attempts} times"


def reads_its_row_alone(bound: BoundEndpoint, registry: ServiceRegistry) -> bool:
    """Whether it only hands back the row of its path, which one statement of ours does without calling it."""
    row = handed_back(bound)
    return row is not None and "get" not in registry.overridden(row.served.entity.model)


def _parameters(described: DescribedEndpoint, call: Call) -> Iterator[BoundParameter]:
    bound = described.bound
    places = {text.name: f"the {text.place}" for text in bound.texts}
    for name, read in bound.simple:
        yield BoundParameter(name, _source(read(call), places.get(name, "a header or a cookie")))
    for row in bound.rows:
        row.read(call)  # raises where it cannot be a key
        if row.is_parameter:
            text, lock = call.path_values[row.place], ", locked (FOR UPDATE)" if row.is_locking else ""
            yield BoundParameter(row.name, f"the row of {row.served.entity.name} with {row.attribute} {text!r}{lock}")
    if not bound.method.route.probe:
        values = bound.query.read(call) if described.rows is None else described.rows.parse(call)[0]
        for name, value in values.items():
            yield BoundParameter(name, f"the query string, {value!r}")
    if bound.body is not None:
        yield BoundParameter(bound.body.name, f"the body, as {_name(bound.body.annotation)}")
    for prefix, injections in (("", bound.injected), ("self.", bound.attributes)):
        for name, make in injections.of_unit:
            kind = f"the service of {make.model.__name__}" if isinstance(make, OfService) else "the accounts"
            yield BoundParameter(f"{prefix}{name}", f"{kind}, in the transaction")
        for name, key in injections.provided:
            yield BoundParameter(f"{prefix}{name}", f"{_name(key)}, as provide= makes it")


def _source(value: object, place: str) -> str:
    if isinstance(value, Actor):
        return "the actor"
    return "the call" if isinstance(value, Call) else f"{place}, {value!r}"


def _name(annotation: Any) -> str:
    return getattr(annotation, "__name__", None) or repr(annotation)
