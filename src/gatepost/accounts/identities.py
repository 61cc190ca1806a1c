"""The identity cache: verified tokens and their users, per process, dropped within 100 ms of a change.

`find` is the hot path; `load` runs where it finds nothing. A cached actor is used only while the listener is known to
have received every change older than 90 ms (`database/listener.py`); otherwise every request verifies its token and
loads its user. `docs/decisions/0006-tokens-and-the-identity-cache.md` says why.
"""

import time
from collections.abc import Callable
from typing import Any

from gatepost.accounts.notifications import CHANNEL, are_notified
from gatepost.accounts.user_store import UserStore
from gatepost.actor import Actor
from gatepost.auth.tokens import TOKEN_BYTES_MAX, Tokens, invalid
from gatepost.database.database import Database
from gatepost.database.heartbeat_monitor import clock
from gatepost.database.listener import Listener
from gatepost.events import Events, IdentitiesInvalidated, IdentitiesNotCached

CACHED_IDENTITIES_MAX = 10_000
"""Tokens kept, about 1.5 KiB each. The oldest that was not used since the last scan is evicted first."""

EVICTION_SCAN_MAX = 100
"""The most entries that one eviction looks at."""


class CachedIdentity:
    """Valid until `good_until` on the listener's clock; `is_used` says whether it was found since the last scan."""

    __slots__ = ("actor", "good_until", "is_used", "user")

    def __init__(self, actor: Actor, good_until: float, user: str) -> None:
        self.actor = actor
        self.good_until = good_until
        self.is_used = False
        self.user = user


class Identities:
    """From the bytes of an `Authorization` header to an actor."""

    __slots__ = (
        "_by_user",
        "_cached",
        "_emit_invalidated",
        "_emit_not_cached",
        "_generation",
        "_size_max",
        "_tokens",
        "_users",
        "listener",
    )

    def __init__(
        self,
        database: Database,
        model: type[Any],
        users: UserStore,
        tokens: Tokens,
        *,
        size_max: int = CACHED_IDENTITIES_MAX,
    ) -> None:
        self._users = users
        self._tokens = tokens
        self._size_max = size_max
        self._cached: dict[bytes, CachedIdentity] = {}
        self._by_user: dict[str, set[bytes]] = {}
        self._generation = 0
        self._emit_not_cached: Callable[[IdentitiesNotCached], None] | None = None
        self._emit_invalidated: Callable[[IdentitiesInvalidated], None] | None = None
        self.listener = Listener(
            database.connect_listener,
            CHANNEL,
            on_notification=self.drop,
            on_reset=self.drop_all,
            check=lambda connection: are_notified(connection, model),
            on_doubt=self._note_untrusted,
            on_silence=database.note_silence,
            on_beat=database.note_beat,
        )

    async def start(self, events: Events) -> None:
        """Start listening for changes. Until the listener is trusted, the cache is not used."""
        self._emit_not_cached = events.emitter(IdentitiesNotCached)
        self._emit_invalidated = events.emitter(IdentitiesInvalidated)
        await self.listener.start(events)

    async def stop(self) -> None:
        """Stop listening, and clear the cache."""
        await self.listener.stop()
        self.drop_all()

    def __len__(self) -> int:
        return len(self._cached)

    def find(self, authorization: bytes) -> Actor | None:
        """The actor of a header that is cached, unexpired and trusted; None asks for `load`."""
        cached = self._cached.get(authorization)
        if cached is None:
            return None
        now = clock()
        if now >= self.listener.trusted_until or now >= cached.good_until:
            return None
        cached.is_used = True
        return cached.actor

    async def load(self, authorization: bytes) -> Actor:
        """Verify the token and load its user from the database; raises 401 `invalid_token`."""
        claims = self._tokens.verify(bearer_token(authorization))
        generation = self._generation
        found = await self._users.find(claims.subject)
        if found is None:
            raise invalid("The token's user is gone or inactive.")
        if found.password_version != claims.password_version:
            raise invalid("The password was changed after the token was issued.")
        # A change that was notified while the row was being read may be newer than the row: then the identity is
        # valid for this request, which began earlier, but must not be cached.
        if generation == self._generation:
            good_until = clock() + claims.expires_at - time.time()
            self._keep(authorization, CachedIdentity(found.actor, good_until, found.subject))
        return found.actor

    def drop(self, user: str) -> None:
        """Drop one user (the key as text), or all where it is empty."""
        if not user:
            self.drop_all()
            return
        self._generation += 1
        for authorization in self._by_user.pop(user, ()):
            del self._cached[authorization]
        if self._emit_invalidated is not None:
            self._emit_invalidated(IdentitiesInvalidated(user_id=user))

    def drop_all(self) -> None:
        """Drop all users."""
        self._generation += 1
        self._cached.clear()
        self._by_user.clear()
        if self._emit_invalidated is not None:
            self._emit_invalidated(IdentitiesInvalidated(user_id=None))

    def _note_untrusted(self, reason: str) -> None:
        if self._emit_not_cached is not None:
            self._emit_not_cached(IdentitiesNotCached(reason=reason))

    def _keep(self, authorization: bytes, cached: CachedIdentity) -> None:
        self._forget(authorization)
        if len(self._cached) >= self._size_max:
            self._evict()
        self._cached[authorization] = cached
        self._by_user.setdefault(cached.user, set()).add(authorization)

    def _evict(self) -> None:
        """Evict one entry by the CLOCK algorithm: a lookup costs no more than setting a flag, and entries that were
        found since the last scan get a second chance."""
        cached = self._cached
        for _ in range(EVICTION_SCAN_MAX):
            oldest = next(iter(cached))
            if not cached[oldest].is_used:
                break
            cached[oldest].is_used = False
            cached[oldest] = cached.pop(oldest)
        self._forget(next(iter(cached)))

    def _forget(self, authorization: bytes) -> None:
        cached = self._cached.pop(authorization, None)
        if cached is not None:
            tokens = self._by_user[cached.user]
            tokens.discard(authorization)
            if not tokens:
                del self._by_user[cached.user]


def bearer_token(authorization: bytes) -> str:
    """The token of a header `Bearer <token>` (RFC 6750 section 2.1); raises 401 `invalid_token` for anything else."""
    scheme, _, token = authorization.partition(b" ")
    if scheme.lower() != b"bearer" or len(token) > TOKEN_BYTES_MAX:
        raise invalid("The Authorization header is not a bearer token.")
    try:
        return token.lstrip(b" ").decode("ascii")
    except UnicodeDecodeError:
        raise invalid("The token is malformed.") from None
