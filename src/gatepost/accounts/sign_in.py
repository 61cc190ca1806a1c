"""Sign-in: `POST auth/login`, `GET auth/me`, and the authenticators of an app as they are asked.

It runs behind the gate, which applies the limits by address. An unknown e-mail, a wrong password and an inactive
account get the same response after the same work.
"""

import contextlib
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from gatepost.accounts.credentials import Credentials, read_credentials
from gatepost.accounts.identities import Identities
from gatepost.accounts.models import normalise_email
from gatepost.accounts.passwords import Passwords, check_new_password
from gatepost.accounts.user_store import StoredCredentials, UserStore
from gatepost.actor import ActorId
from gatepost.auth.authenticator import AnyAuthenticator, Authenticator, UserAuthenticator
from gatepost.auth.bearer_tokens import BearerTokens, accept_tokens
from gatepost.auth.tokens import Tokens
from gatepost.call import JSON_HEADERS, Call, Endpoint, Response
from gatepost.database.database import Database
from gatepost.declaring.policies import anyone, authenticated
from gatepost.device_cookies import Devices
from gatepost.errors import ConfigurationError, DatabaseProblem, Problem, Unauthorized
from gatepost.events import Events, SignInFailed, SignInSucceeded
from gatepost.operations import Operation, RouteRules
from gatepost.sources import location_of

BODY_BYTES_MAX = 8192


class SignInLimiter(Protocol):
    """Limits attempts to sign in. Implemented by the gate's limiter."""

    async def admit_account(self, call: Call, account: str, *, is_own_device: bool) -> None:
        """Count an attempt at an account; raises 429 `too_many_requests`."""
        ...

    def succeed(self, call: Call) -> None:
        """Take back the count: the attempt succeeded, or could not be decided."""
        ...


class Accounts:
    """The users of one application: its endpoints, and its authenticators as they are asked.

    `start` before the first request, `stop` after the last.
    """

    def __init__(  # noqa: PLR0913 - what signing in is composed of
        self,
        user_model: type[Any],
        database: Database,
        tokens: Tokens,
        events: Events,
        *,
        limiter: SignInLimiter,
        devices: Devices,
        authenticators: Sequence[AnyAuthenticator] = (BearerTokens(),),
    ) -> None:
        """`authenticators` are those that the app declares. Those that name users get the identity cache, and those for
        bearer tokens the key."""
        self._limiter = limiter
        self._devices = devices
        self._tokens = tokens
        self._events = events
        self._users = UserStore(database, user_model)
        self._passwords = Passwords()
        self._failed = events.emitter(SignInFailed)
        self._succeeded = events.emitter(SignInSucceeded)
        self.identities = Identities(database, user_model, self._users)
        self._accepts_tokens = accept_tokens(authenticators)
        self.authenticators: tuple[Authenticator, ...] = tuple(self._composed(each) for each in authenticators)

    def endpoints(self, prefix: str) -> list[Endpoint]:
        """The endpoints below `prefix` (without a trailing slash). Without bearer tokens nothing signs in here."""
        sign_in = Operation(
            name="auth.login",
            method="POST",
            rules=RouteRules(pattern=f"{prefix}/auth/login", kind="auth", body_bytes_max=BODY_BYTES_MAX),
            allow=anyone,
            source=location_of(self.sign_in),
        )
        show = Operation(
            name="auth.me",
            method="GET",
            rules=RouteRules(pattern=f"{prefix}/auth/me"),
            allow=authenticated,
            source=location_of(self.show),
        )
        endpoints = [Endpoint(show, self.show)]
        return [Endpoint(sign_in, self.sign_in), *endpoints] if self._accepts_tokens else endpoints

    async def start(self) -> None:
        """Start listening for changes of users."""
        await self.identities.start(self._events)

    async def stop(self) -> None:
        """Stop listening; sign-ins that wait for a thread are cancelled."""
        await self.identities.stop()
        self._passwords.close()

    async def sign_in(self, call: Call) -> Response:
        """A token for an e-mail and a password; raises 401 `invalid_credentials`, 422 `invalid_body`, 429.

        An attempt is counted before the password is verified, so that concurrent attempts cannot bypass the limit, and
        taken back where it succeeds or cannot be decided.
        """
        credentials = read_credentials(await call.body())
        account = self._devices.account_of(credentials.email)
        device = self._devices.find_own(call, account)
        await self._limiter.admit_account(call, account.hex(), is_own_device=device is not None)
        try:
            user = await self._authenticate(call, credentials)
        except Problem as problem:
            if problem.status >= 500:
                self._limiter.succeed(call)
            raise
        self._limiter.succeed(call)
        if self._succeeded is not None:
            self._succeeded(SignInSucceeded(user_id=user.subject, client=call.client))
        data = {
            "access_token": self._tokens.issue(user.subject, user.password_version),
            "token_type": self._tokens.scheme,
            "expires_in": self._tokens.lifetime_seconds,
        }
        cookie = self._devices.header(account, device, is_tls=call.scope["scheme"] == "https")
        body = msgspec.json.encode({"data": data})
        return Response(200, body, (*JSON_HEADERS, cookie), cache_control=b"no-store")

    def _composed(self, declared: AnyAuthenticator) -> Authenticator:
        if isinstance(declared, BearerTokens):
            declared = declared.verified_by(self._tokens)
        return self.identities.cached(declared) if isinstance(declared, UserAuthenticator) else declared

    async def _authenticate(self, call: Call, credentials: Credentials) -> StoredCredentials:
        user = await self._users.find_credentials(credentials.email)
        refusal = await self._failure_reason(user, credentials)
        if user is None or refusal is not None:
            if self._failed is not None:
                self._failed(SignInFailed(reason=refusal or "unknown", client=call.client))
            raise Unauthorized("invalid_credentials", "The e-mail address or the password is wrong.")
        await self._renew_hash(user, credentials)
        return user

    async def show(self, call: Call) -> Response:
        """The signed-in user."""
        actor = call.actor
        data = {"id": actor.id, "email": getattr(actor.user, "email", None), "roles": sorted(actor.roles)}
        return Response(200, msgspec.json.encode({"data": data}), cache_control=b"no-store")

    async def _failure_reason(self, user: StoredCredentials | None, credentials: Credentials) -> str | None:
        """Why the sign-in fails, for the log only; None where it succeeds. The password is verified in every case, so
        that the time reveals nothing."""
        stored = user.password_hash if user is not None else None
        matches = await self._passwords.verify(stored, credentials.password)
        if user is None:
            return "unknown"
        if stored is None:
            return "no_password"
        if not matches:
            return "wrong_password"
        return None if user.is_active else "inactive"

    async def _renew_hash(self, user: StoredCredentials, credentials: Credentials) -> None:
        stored = user.password_hash
        if stored is not None and self._passwords.needs_rehash(stored):
            renewed = await self._passwords.hash(credentials.password)
            # The password was right even if the database takes no writes at present: the next sign-in tries again.
            with contextlib.suppress(DatabaseProblem):
                await self._users.replace_hash(credentials.email, stored, renewed)


async def create_user(
    database: Database, model: type[Any], email: str, password: str | None, roles: Sequence[str] = ()
) -> ActorId:
    """Create a user, for commands and seeds, and return the key. Without a password the user cannot sign in by one.

    Raises `ConfigurationError` for a malformed or taken e-mail and a password that is too short or too long.
    """
    hashed: str | None = None
    if password is not None:
        check_new_password(password)
        passwords = Passwords(threads=1)
        try:
            hashed = await passwords.hash(password)
        finally:
            passwords.close()
    return await UserStore(database, model).create(email, hashed, roles)


async def issue_token(database: Database, model: type[Any], tokens: Tokens, email: str) -> str:
    """A token for the user with this e-mail, for commands. Raises `ConfigurationError` where there is none."""
    user = await UserStore(database, model).find_credentials(normalise_email(email))
    if user is None or not user.is_active:
        state = "is inactive" if user is not None else "does not exist"
        raise ConfigurationError(f"The user {email} {state}.", hint="`gatepost users list` shows them all.")
    return tokens.issue(user.subject, user.password_version)
