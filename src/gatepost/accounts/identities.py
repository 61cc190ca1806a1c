"""The identity cache: verified credentials and their users, per process, dropped within 100 ms of a change.

`CachedAuthenticator` puts it around an authenticator that names users. `find` is the hot path; `load` runs where it
finds nothing. A cached actor is used only while the listener is known to have received every change older than 90 ms
(`database/listener.py`); otherwise every request verifies its credentials and loads its user.
`docs/decisions/0006-tokens-and-the-identity-cache.md` says why.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from gatepost.accounts.notifications import CHANNEL, are_notified
from gatepost.accounts.user_store import UserStore
from gatepost.actor import Actor
from gatepost.auth.authenticator import UserAuthenticator, reads_header
from gatepost.auth.tokens import invalid
from gatepost.call import Call
from gatepost.database.database import Database
from gatepost.database.heartbeat_monitor import clock
from gatepost.database.listener import Listener
from gatepost.events import Events, IdentitiesInvalidated, IdentitiesNotCached

CACHED_IDENTITIES_MAX = 10_000
"""Credentials kept for each authenticator, about 1.5 KiB each. The oldest that were not used since the last scan are
evicted first."""

EVICTION_SCAN_MAX = 100
"""The most entries that one eviction looks at."""


class CachedIdentity(msgspec.Struct, eq=False):
    """Valid until `good_until` on the listener's clock; `is_used` says whether it was found since the last scan."""

    actor: Actor
    good_until: float
    user: str
    is_used: bool = False


class Identities:
    """The users of an app as they are cached: what all its authenticators share.

    `users` loads them, `listener` hears of their changes. `generation` is raised with every change that is heard.
    """

    def __init__(
        self, database: Database, model: type[Any], users: UserStore, *, size_max: int = CACHED_IDENTITIES_MAX
    ) -> None:
        self.users = users
        self.epoch = database.epoch
        self.epoch.on_raise(lambda: self.drop(None))
        self.generation = 0
        self._size_max = size_max
        self._caches: list[CachedAuthenticator] = []
        self._emit_not_cached: Callable[[IdentitiesNotCached], None] | None = None
        self._emit_invalidated: Callable[[IdentitiesInvalidated], None] | None = None
        self.listener = Listener(
            database,
            CHANNEL,
            on_change=self.drop,
            check=lambda connection: are_notified(connection, model),
            on_doubt=self._note_untrusted,
        )

    def cached(self, authenticator: UserAuthenticator) -> "CachedAuthenticator":
        """The authenticator with a cache of its own: the same bytes may be credentials of two kinds."""
        cache = CachedAuthenticator(authenticator, self, self._size_max)
        self._caches.append(cache)
        return cache

    async def start(self, events: Events) -> None:
        """Start listening for changes. Until the listener is trusted, no cache is used."""
        self._emit_not_cached = events.emitter(IdentitiesNotCached)
        self._emit_invalidated = events.emitter(IdentitiesInvalidated)
        await self.listener.start(events)

    async def stop(self) -> None:
        """Stop listening, and clear the caches."""
        await self.listener.stop()
        self.drop(None)

    def __len__(self) -> int:
        return sum(map(len, self._caches))

    def drop(self, user: str | None) -> None:
        """Drop one user (the key as text), or all where it is empty or None."""
        self.generation += 1
        for cache in self._caches:
            cache.drop(user)
        if self._emit_invalidated is not None:
            self._emit_invalidated(IdentitiesInvalidated(user_id=user or None))

    def _note_untrusted(self, reason: str) -> None:
        if self._emit_not_cached is not None:
            self._emit_not_cached(IdentitiesNotCached(reason=reason))


class CachedAuthenticator:
    """An authenticator that names users, with the identity cache around it: an `Authenticator`."""

    def __init__(self, authenticator: UserAuthenticator, identities: Identities, size_max: int) -> None:
        self.challenge: str = authenticator.challenge
        self.headers: Sequence[str] = authenticator.headers
        self.is_ambient: bool = authenticator.is_ambient
        self._find_credentials = authenticator.find_credentials
        # The usual case costs no call.
        self._header = authenticator.headers[0].encode() if reads_header(authenticator) else None
        self._verify = authenticator.verify
        self._identities = identities
        self._listener = identities.listener
        self._size_max = size_max
        self._cached: dict[bytes, CachedIdentity] = {}
        self._by_user: dict[str, set[bytes]] = {}

    def __len__(self) -> int:
        return len(self._cached)

    def find(self, call: Call) -> Actor | None:
        """The actor of credentials that are cached, unexpired and trusted."""
        header = self._header
        credentials = self._find_credentials(call) if header is None else call.headers.get(header)
        if credentials is None:
            return None
        cached = self._cached.get(credentials)
        if cached is None:
            return None
        now = clock()
        if now >= self._listener.trusted_until or now >= cached.good_until:
            return None
        cached.is_used = True
        return cached.actor

    def load(self, call: Call) -> Awaitable[Actor | None] | None:
        """Verify the credentials and load their user from the database; raises what `verify` raises, and 401
        `invalid_token`."""
        credentials = self._find_credentials(call)
        return None if credentials is None else self._load(credentials)

    def drop(self, user: str | None) -> None:
        """Drop one user (the key as text), or all where it is empty or None."""
        if not user:
            self._cached.clear()
            self._by_user.clear()
            return
        for credentials in self._by_user.pop(user, ()):
            del self._cached[credentials]

    async def _load(self, credentials: bytes) -> Actor | None:
        identities = self._identities
        generation = identities.generation
        verified = await self._verify(credentials)
        if verified is None:
            return None
        if verified.expires_at <= time.time():
            raise invalid("The credentials have expired.")
        found = await identities.users.find(str(verified.key))
        if found is None:
            raise invalid("The user of these credentials is gone or inactive.")
        if verified.password_version is not None and found.password_version != verified.password_version:
            raise invalid("The password was changed after the credentials were issued.")
        # After the user was loaded: by a connection that this opened, if need be, which has told of the epoch.
        if verified.epoch is not None and verified.epoch != identities.epoch.value:
            raise invalid("The database was restored after the credentials were issued.")
        # A change that was notified while the row was being read may be newer than the row: then the identity is
        # valid for this request, which began earlier, but must not be cached.
        if generation == identities.generation:
            good_until = clock() + verified.expires_at - time.time()
            self._keep(credentials, CachedIdentity(found.actor, good_until, found.subject))
        return found.actor

    def _keep(self, credentials: bytes, cached: CachedIdentity) -> None:
        self._forget(credentials)
        if len(self._cached) >= self._size_max:
            self._evict()
        self._cached[credentials] = cached
        self._by_user.setdefault(cached.user, set()).add(credentials)

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

    def _forget(self, credentials: bytes) -> None:
        cached = self._cached.pop(credentials, None)
        if cached is not None:
            kept = self._by_user[cached.user]
            kept.discard(credentials)
            if not kept:
                del self._by_user[cached.user]
