"""The second stage, behind the gate: who is asking, the limit of the actor, the role rule.

Before every endpoint of an app (`routes/dispatch.py`), and before an application behind the gate alone
(`standalone.py`). The one place where authenticators are asked, so the one place where credentials are read.
"""

import contextlib
from collections.abc import Awaitable, Callable, Sequence

from gatepost.actor import Actor, anonymous
from gatepost.auth.authenticator import Authenticator
from gatepost.auth.denials import access_denied
from gatepost.auth.tokens import invalid
from gatepost.call import Admit, Call
from gatepost.declaring.policies import anyone, decide
from gatepost.errors import Unauthorized

ROLE_REFUSAL = "Your roles do not allow this."

AUTHORIZATION = b"authorization"

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, section 9.2.1)."""


class AccessControl:
    """Asks the authenticators in their order; the first that claims a request wins.

    `admit_actor` takes the actor's tokens. `check_origin` raises 403 for requests of pages of other origins; it is
    asked for requests that change something with ambient credentials. With `refuses_unclaimed`, an `Authorization`
    header that no authenticator claims is a 401 instead of nothing.
    """

    def __init__(
        self,
        authenticators: Sequence[Authenticator],
        admit_actor: Admit,
        check_origin: Callable[[Call], None],
        *,
        refuses_unclaimed: bool,
    ) -> None:
        self._authenticators = tuple(authenticators)
        self._admit_actor = admit_actor
        self._check_origin = check_origin
        self._refuses_unclaimed = refuses_unclaimed
        self._headers = frozenset(name.encode() for each in authenticators for name in each.headers)
        self._asks_always = not all(each.headers for each in authenticators)
        self._asks_more = self._asks_always or not self._headers <= {AUTHORIZATION}

    def admit(self, call: Call) -> Awaitable[None] | None:
        """Find the actor of a request and decide whether it may go on: None if it may, or what has to be awaited.

        Raises `Unauthorized`, 403 `cross_origin`, 429 `too_many_requests`, 401 `not_signed_in` and 403 `forbidden`.
        """
        # The two ways that are usual, anonymous and cached, are written out: every request pays for them.
        headers = call.headers
        if AUTHORIZATION in headers or (
            self._asks_more and (self._asks_always or not self._headers.isdisjoint(headers))
        ):
            for authenticator in self._authenticators:
                actor = authenticator.find(call)
                if actor is not None:
                    call.actor = actor
                    if authenticator.is_ambient:
                        self._admit_ambient(call)
                    break
                if (loading := authenticator.load(call)) is not None:
                    return self._load(call, authenticator, loading)
            else:
                self._refuse_unclaimed(call)
        admit_actor = self._admit_actor
        if (pending := admit_actor(call)) is not None:
            return self._authorize_later(call, pending)
        endpoint = call.endpoint
        if endpoint is not None:
            operation, _ = endpoint
            if operation.allow is not anyone and decide(operation.allow, call.actor) is False:
                raise access_denied(call.actor, ROLE_REFUSAL)
        return None

    async def admit_mounted(self, call: Call) -> None:
        """Find the actor of a request to a mounted application, which decides itself who may do what: credentials that
        are not valid may be of its own kind, and leave the request anonymous.

        Raises 403 `cross_origin`, 429 `too_many_requests`, and what a database that is away raises.
        """
        if self._carries_credentials(call):
            with contextlib.suppress(Unauthorized):
                await self._identify(call)
        if (pending := self._admit_actor(call)) is not None:
            await pending

    async def confirm(self, call: Call) -> bool:
        """Ask again who sends a request that goes on: whether that is still the same actor, with the same roles and the
        same row. Raises `Unauthorized` where the credentials are no longer valid, and 401 `not_signed_in` or 403
        `forbidden` where the role rule no longer admits the actor."""
        found = await self._find(call) if self._carries_credentials(call) else None
        actor = anonymous if found is None else found[0]
        _check_role(call, actor)
        before = call.actor
        return (actor.id, actor.roles, actor.user) == (before.id, before.roles, before.user)

    def _carries_credentials(self, call: Call) -> bool:
        return self._asks_always or not self._headers.isdisjoint(call.headers)

    async def _identify(self, call: Call) -> None:
        if (found := await self._find(call)) is not None:
            call.actor, authenticator = found
            if authenticator.is_ambient:
                self._admit_ambient(call)

    async def _find(self, call: Call) -> tuple[Actor, Authenticator] | None:
        """The actor of a request, and the authenticator that knows it; None for the anonymous."""
        for authenticator in self._authenticators:
            actor = authenticator.find(call)
            if actor is None and (loading := authenticator.load(call)) is not None:
                actor = await _loaded(authenticator, loading)
            if actor is not None:
                return actor, authenticator
        return None

    def is_known(self, call: Call) -> bool:
        """Whether the client is signed in, as far as that is known without waiting."""
        return any(authenticator.find(call) is not None for authenticator in self._authenticators)

    async def _authorize_later(self, call: Call, pending: Awaitable[None]) -> None:
        await pending
        _check_role(call, call.actor)

    async def _load(self, call: Call, authenticator: Authenticator, loading: Awaitable[Actor | None]) -> None:
        """Go on where an authenticator has to wait, and with those after it if it does not claim the request."""
        actor = await _loaded(authenticator, loading)
        position = self._authenticators.index(authenticator)
        while actor is None and (position := position + 1) < len(self._authenticators):
            authenticator = self._authenticators[position]
            actor = authenticator.find(call)
            if actor is None and (waiting := authenticator.load(call)) is not None:
                actor = await _loaded(authenticator, waiting)
        if actor is None:
            self._refuse_unclaimed(call)
        else:
            call.actor = actor
            if authenticator.is_ambient:
                self._admit_ambient(call)
        if (pending := self._admit_actor(call)) is not None:
            await pending
        _check_role(call, call.actor)

    def _admit_ambient(self, call: Call) -> None:
        """A page of another origin can make a browser send these credentials: it must not change anything with them,
        and must not learn lengths."""
        call.is_ambient = True
        if call.scope["method"] not in SAFE_METHODS:
            self._check_origin(call)

    def _refuse_unclaimed(self, call: Call) -> None:
        if self._refuses_unclaimed and AUTHORIZATION in call.headers:
            raise invalid("The Authorization header is not of a kind that is accepted here.")


def _check_role(call: Call, actor: Actor) -> None:
    endpoint = call.endpoint
    if endpoint is not None and decide(endpoint.operation.allow, actor) is False:
        raise access_denied(actor, ROLE_REFUSAL)


async def _loaded(authenticator: Authenticator, loading: Awaitable[Actor | None]) -> Actor | None:
    """The actor; a refusal gets the challenge of the authenticator whose credentials are refused."""
    try:
        actor = await loading
    except Unauthorized as refusal:
        refusal.challenge = _challenge(authenticator.challenge, refusal.code)
        raise
    # The system actor, which passes every policy, is never made from a request.
    if actor is not None and (not isinstance(actor, Actor) or actor.id is None or actor.is_system):  # pyright: ignore[reportUnnecessaryIsInstance]
        name = type(authenticator).__name__
        raise TypeError(f"{name}.load returned {actor!r}; it must return an Actor with an id, or None.")
    return actor


def _challenge(challenge: str, code: str) -> str:
    """RFC 6750, section 3: a token that was sent and is not valid is named as the reason."""
    scheme, _, parameters = challenge.partition(" ")
    if scheme.lower() != "bearer" or code != "invalid_token":
        return challenge
    return f'{challenge}{", " if parameters else " "}error="invalid_token"'
