"""The walk of a request through the layers, for `gatepost explain`: as far as it goes without rows.

The app is composed on a database that notes statements (`RecordingDatabase`), and the derived handlers run on it, so
that what is printed is what would be sent. Policies and defaults of columns run; services, own endpoints and mounted
applications do not.
"""

from typing import Any

import msgspec

from gatepost.actor import Actor
from gatepost.auth.access_control import ROLE_REFUSAL
from gatepost.auth.denials import access_denied
from gatepost.call import SAFE, Call, Endpoint
from gatepost.cli.explained_endpoints import parameters_of, reads_its_row_alone, transaction_of
from gatepost.cli.explained_request import AskedRequest
from gatepost.cli.explanations import ExplainedStatement, Explanation, Refusal
from gatepost.composition import Composition
from gatepost.database.statement_recording import RecordedStatement, RecordingDatabase, RowsUnknown
from gatepost.declaring.policies import decide
from gatepost.errors import ConfigurationError, Problem
from gatepost.gateway.header_profiles import may_be_stored
from gatepost.gateway.paths import check_path
from gatepost.openapi.described import DescribedEndpoint
from gatepost.openapi_composition import DerivedOperation
from gatepost.operations import Operation, RouteRules
from gatepost.routes.nearest_paths import NearestPaths
from gatepost.server.operation_rows import handler_of, limit_of
from gatepost.services.service_registry import ServiceRegistry

_REFUSED_AT = {401: "policy", 403: "policy", 404: "path", 412: "If-Match", 428: "If-Match"}
"""Where a derived handler refuses with these statuses, as long as it has read no row; with others it does where it
reads the query string or the body."""

_BODIES = ("create", "update")

_WRITES = (*_BODIES, "delete")


class Walk:
    """The walk of one request as one actor. `composition` is on a `RecordingDatabase`."""

    def __init__(self, composition: Composition, asked: AskedRequest, actor: Actor, found: Explanation) -> None:
        self._composition = composition
        self._asked = asked
        self._actor = actor
        self.found = found
        self.recorded: list[RecordedStatement] = []
        self._call = asked.call(actor=actor)

    async def go(self) -> None:
        """Fill in the explanation, up to the step that refuses the request."""
        step, gate = "head", self._composition.gate
        try:
            gate.check_head(self._asked.call())
            step = "path"
            check_path(self._asked.scope, self._composition.settings.gate.uri_bytes_max)
            step = "route"
            rules, endpoint, values = self._composition.table.match(self._asked.method, self._asked.path)
            self._call = self._asked.call(rules, endpoint, values, self._actor)
            self._explain_rules(rules)
            step = "body"
            if self._asked.body is not None:
                gate.check_body(self._asked.call(rules), len(self._asked.body))
            if endpoint is None:
                self._explain_mount(rules)
                return
            operation = endpoint.operation
            self._explain_operation(operation)
            step = "allow rule"
            self._check_allowed(operation)
            step = ""
            await self._handle(rules, endpoint, values)
            self._explain_caching(rules)
        except Problem as problem:
            self.found.refusal = Refusal.of(step or self._step_of(problem), self._hinting(problem))
        except ConfigurationError:
            raise
        except Exception as error:
            raise ConfigurationError(
                f"raised {type(error).__name__}: {error}.",
                location=self.found.operation,
                hint="A policy, or what makes the default of a column, failed; a client would get a 500.",
            ) from error

    def personal_forms(self) -> tuple[str, ...]:
        """How texts show the values of personal fields that the request and its sender have."""
        self._call.content = self._asked.body or b""
        return self._composition.personal_data.forms_of(self._call)

    def _explain_rules(self, rules: RouteRules) -> None:
        settings, found = self._composition.settings, self.found
        found.path = rules.pattern
        found.limits = limit_of(rules, settings)
        found.body_bytes_max = rules.body_bytes_max or settings.gate.body_bytes_max

    def _explain_mount(self, rules: RouteRules) -> None:
        prefix = rules.pattern.removesuffix("/*")
        self.found.operation = f"mount {prefix}"
        self.found.handler = f"the application mounted at {prefix or '/'}"
        self.found.unknown.append("The mounted application decides who may do what, and runs its own SQL.")

    def _explain_operation(self, operation: Operation) -> None:
        found = self.found
        found.operation, found.allow, found.handler = operation.name, repr(operation.allow), handler_of(operation)

    def _check_allowed(self, operation: Operation) -> None:
        if decide(operation.allow, self._actor) is False:
            raise access_denied(self._actor, ROLE_REFUSAL)

    async def _handle(self, rules: RouteRules, endpoint: Endpoint, values: tuple[str, ...]) -> None:
        operation, described = endpoint.operation, self._composition.described
        derived = next((each for each in described.derived if each.operation is operation), None)
        if derived is not None:
            if self._runs_code(derived):
                return
            await self._record(rules, endpoint, values, self._body(operation) if derived.verb in _BODIES else b"")
            self._explain_rest(derived.verb)
            return
        written = next((each for each in described.endpoints if each.operation is operation), None)
        if written is None:
            self.found.unknown.append("It responds without the database.")
            return
        body = b"" if written.bound.body is None else self._own_body(operation)
        call = self._asked.call(rules, endpoint, values, self._actor, body or b"")
        registry = self._composition.registries[written.group]
        self.found.parameters = parameters_of(written, call)
        if body is not None:
            await self._check_request(written, call)
        self.found.transaction = transaction_of(written.bound, registry)
        if reads_its_row_alone(written.bound, registry):
            await self._record(rules, endpoint, values, b"")
        elif written.bound.needs_unit:
            self.found.unknown.append(
                "The statements of the method cannot be known before it runs, and it is not run; what it returns is "
                "shown under the read policies."
            )

    async def _check_request(self, written: DescribedEndpoint, call: Call) -> None:
        """Read what the request gives, as is done before the method runs. Raises what is wrong with it."""
        try:
            await written.requests.read(call)
        except Problem as problem:
            raise written.requests.located(problem) from None

    def _runs_code(self, derived: DerivedOperation) -> bool:
        """Whether code of the application decides which statements follow; then that is said."""
        registry, served = self._composition.registries[derived.served.group], derived.served
        above = [nesting.entity.name for nesting, _ in served.rows_above if "get" in registry.overridden(nesting.model)]
        if above:
            reason = f"The service of {', '.join(above)} is asked for the row above"
        elif derived.operation.orm_reasons:
            reason = "It goes through the ORM, as the handler says"
        elif not registry.is_compiled(served.entity.model, derived.verb):
            reason = f"The service runs in one transaction ({_isolation(registry, served.entity.model)})"
        else:
            return False
        self.found.unknown.append(f"{reason}: the SQL cannot be known before it runs, and it is not run.")
        return True

    def _body(self, operation: Operation) -> bytes:
        """The body of the request, or the example of the OpenAPI document."""
        body = self._own_body(operation)
        if body is not None:
            return body
        raise ConfigurationError(
            f"{operation.name} needs a body, and no example of one can be made.",
            location="--body",
            hint='Write it: --body \'{"name": "value"}\'.',
        )

    def _own_body(self, operation: Operation) -> bytes | None:
        """The body of the request, or the example of the OpenAPI document; None where it has none."""
        if self._asked.body is not None:
            self.found.body = self._asked.body.decode()
            return self._asked.body
        paths = self._composition.openapi.full()["paths"]
        described = (each for path in paths.values() for each in path.values())
        found = next((each for each in described if each.get("operationId") == operation.name), None)
        for media in () if found is None else found["requestBody"]["content"].values():
            if "example" in media:
                example = msgspec.json.encode(media["example"])
                self.found.body = f"{example.decode()} (the example of the OpenAPI document)"
                return example
        return None

    async def _record(self, rules: RouteRules, endpoint: Endpoint, values: tuple[str, ...], body: bytes) -> None:
        """Run a handler of Gatepost's own up to the first row that it looks at, and keep its statements."""
        database = self._composition.database
        assert isinstance(database, RecordingDatabase)  # noqa: S101 - the command composes it
        call = self._asked.call(rules, endpoint, values, self._actor, body)
        try:
            await endpoint.handler(call)
        except RowsUnknown as unknown:
            # Looked at for the words of a refusal: then the request is refused all the same.
            if isinstance(unknown.__context__, Problem):
                raise unknown.__context__ from None
        finally:
            self.recorded = list(database.recorded)
            self.found.statements = [ExplainedStatement.of(each) for each in self.recorded]

    def _explain_rest(self, verb: str) -> None:
        """Say what follows the statements."""
        found = self.found
        if not found.statements:
            return
        last = found.statements[-1]
        found.transaction = (
            "one, around all statements" if last.is_in_transaction else "none: each statement is its own"
        )
        if verb in _WRITES and last.writes is None:
            found.unknown.append(
                "The write itself follows, under the policy; what it writes depends on the rows that are found, and "
                "nothing is run."
            )
        elif verb in ("update", "delete"):
            found.unknown.append("Where it meets no row, another statement asks why, for 404, 403, 409 or 412.")

    def _explain_caching(self, rules: RouteRules) -> None:
        method, found = self._asked.method, self.found
        sent = self._composition.gate.find_caching(rules, is_private=self._actor.id is not None)
        if method not in SAFE:
            found.caching = f"no, as no response to {method} is"
        elif sent is None:
            found.caching = "as each cache decides, because the response has no Cache-Control"
        elif may_be_stored(sent.encode()):
            found.caching = f"yes, because the path declares Cache-Control: {sent}"
        else:
            reason = "the path declares it" if rules.headers is not None else "the client is signed in"
            found.caching = f"no: Cache-Control: {sent}, because {reason}"
        if method in SAFE and not found.statements:
            found.caching += "; a Response with a cache_control= of its own decides otherwise"

    def _step_of(self, problem: Problem) -> str:
        found = _REFUSED_AT.get(problem.status)
        return found or ("body" if self.found.body is not None else "query string")

    def _hinting(self, problem: Problem) -> Problem:
        """The refusal; that of an unknown path with the nearest one, which production keeps to itself."""
        if problem.status == 404 and self.found.path is None:
            mounts = self._composition.declaration.mounts
            hint = NearestPaths([*(each.path for each in self._composition.operations), *mounts]).hint(self._asked.path)
            if hint not in problem.detail:
                return type(problem)(problem.code, problem.detail + hint)
        return problem


def _isolation(registry: ServiceRegistry, model: type[Any]) -> str:
    isolation, attempts = registry.transaction_of([model])
    return isolation if attempts == 1 else f"{isolation}, tried up to {attempts} times"
