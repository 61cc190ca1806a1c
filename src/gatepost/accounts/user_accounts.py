"""The users of one application: what `Accounts` does in code, and the authenticators of the app as they are asked."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

from gatepost.accounts.identities import Identities
from gatepost.accounts.models import normalise_email
from gatepost.accounts.password_check import PasswordCheck
from gatepost.accounts.passwords import Passwords, new_password_violations
from gatepost.accounts.user_store import Identity, StoredCredentials, UserStore, is_email
from gatepost.actor import ActorId, system
from gatepost.auth.authenticator import AnyAuthenticator, Authenticator, UserAuthenticator
from gatepost.auth.bearer_tokens import BearerTokens, accept_tokens
from gatepost.auth.tokens import Tokens
from gatepost.call import Call
from gatepost.database.database import Database, driver_error
from gatepost.device_cookies import Devices
from gatepost.errors import FieldError, Problem, Unauthorized, Unprocessable
from gatepost.events import Events, SignInSucceeded
from gatepost.services.unit_of_work import UnitOfWork


class AttemptLimiter(Protocol):
    """Limits attempts to sign in and to register. Implemented by the gate's limiter."""

    async def admit_attempt(self, call: Call) -> None:
        """Count an attempt of an address; raises 429 `too_many_requests`."""
        ...

    async def admit_account(self, call: Call, account: str, *, is_own_device: bool) -> None:
        """Count an attempt at an account; raises 429 `too_many_requests`."""
        ...

    def succeed(self, call: Call) -> None:
        """Take back the count: the attempt succeeded, or could not be decided."""
        ...


class UserAccounts:
    """The users of one application. Implements `AccountOperations`.

    `start` before the first request, `stop` after the last.
    """

    def __init__(  # noqa: PLR0913 - what signing in is composed of
        self,
        user_model: type[Any],
        database: Database,
        tokens: Tokens,
        events: Events,
        *,
        limiter: AttemptLimiter,
        devices: Devices,
        authenticators: Sequence[AnyAuthenticator] = (BearerTokens(),),
    ) -> None:
        """`authenticators` are those that the app declares. Those that name users get the identity cache, and those for
        bearer tokens the key."""
        self._model = user_model
        self._database = database
        self._limiter = limiter
        self._devices = devices
        self._tokens = tokens
        self._events = events
        self._users = UserStore(database, user_model)
        self._passwords = Passwords()
        self._check = PasswordCheck(database, self._users, self._passwords, events)
        self._succeeded = events.emitter(SignInSucceeded)
        self.identities = Identities(database, user_model, self._users)
        self.accepts_tokens = accept_tokens(authenticators)
        self.authenticators: tuple[Authenticator, ...] = tuple(self._composed(each) for each in authenticators)

    async def start(self) -> None:
        """Start listening for changes of users."""
        await self.identities.start(self._events)

    async def stop(self) -> None:
        """Stop listening; sign-ins that wait for a thread are cancelled."""
        await self.identities.stop()
        self._passwords.close()

    # What `Accounts` does

    async def register(self, unit: UnitOfWork, user: Any, password: str) -> None:
        """See `Accounts.register`. What is no address or no password is refused before it counts as an attempt."""
        self._check_model(user)
        _check_new_user(user, password)
        if unit.call is not None:
            await self._limiter.admit_attempt(unit.call)
        user.password_hash = await self._hash(unit, password)
        try:
            await unit.add(user, system)
        except Exception as error:
            problem = None if isinstance(error, Problem) else self._database.explain(unit.transaction, error)
            if problem is None:
                raise
            raise problem from driver_error(error)
        identity = await self._users.find_by_key(self._users.key_of(user), unit.transaction)
        if identity is not None:
            self._act_as(unit, identity)

    async def sign_in(self, unit: UnitOfWork, email: str, password: str) -> Any:
        """See `Accounts.sign_in`.

        An attempt is counted before the password is verified, so that concurrent attempts cannot bypass the limit, and
        taken back where it succeeds or cannot be decided.
        """
        call = unit.call
        if call is None:
            raise RuntimeError("Accounts.sign_in limits attempts by the address of a request, and there is no request.")
        address = normalise_email(email)
        account = self._devices.account_of(address)
        device = self._devices.find_own(call, account)
        await self._limiter.admit_attempt(call)
        await self._limiter.admit_account(call, account.hex(), is_own_device=device is not None)
        try:
            stored = await self._check.authenticate(unit.transaction, address, password, call.client)
            identity = await self._users.find(stored.subject, unit.transaction)
        except Problem as problem:
            if problem.status >= 500:
                self._limiter.succeed(call)
            raise
        self._limiter.succeed(call)
        if identity is None:
            raise _gone()
        self._act_as(unit, identity)
        unit.transaction.after_commit(partial(self._devices.set_cookie, call, account, device))
        unit.transaction.after_commit(partial(self._say_succeeded, call, stored))
        unit.transaction.after_commit(partial(self._check.renew_hash, address, stored.password_hash, password))
        return await self._users.load(self._users.key_of(identity.actor.user), unit.transaction)

    async def issue(self, unit: UnitOfWork, user: Any) -> str:
        """See `Accounts.issue`. The token that this call has issued for the user is not issued twice."""
        key = self._users.key_of(user)
        call = unit.call
        if call is not None and call.issued_token is not None and call.actor.id == key:
            return call.issued_token
        return self._token(await self._identity(unit, key))

    async def set_password(self, unit: UnitOfWork, user: Any, password: str) -> str:
        """See `Accounts.set_password`. A trigger raises the version of the password, which ends the user's tokens."""
        _refuse(new_password_violations(password))
        key = self._users.key_of(user)
        hashed = await self._hash(unit, password)
        row = user if isinstance(user, self._model) else await self._users.load(key, unit.transaction)
        if row is None:
            raise _gone()
        row.password_hash = hashed
        session = unit.transaction.session
        session.add(row)
        await session.flush()
        identity = await self._identity(unit, key)
        # Other instances hear of it from PostgreSQL, as this one does; the next request to this one may be quicker.
        unit.transaction.after_commit(partial(self.identities.drop, identity.subject))
        if unit.call is None or unit.call.actor.id != key:
            return self._token(identity)
        self._act_as(unit, identity)
        return self._token(identity) if unit.call.issued_token is None else unit.call.issued_token

    def _act_as(self, unit: UnitOfWork, identity: Identity) -> None:
        unit.act_as(identity.actor, self._token(identity) if self.accepts_tokens else None)

    def _token(self, identity: Identity) -> str:
        return self._tokens.issue(identity.subject, identity.password_version)

    async def _identity(self, unit: UnitOfWork, key: ActorId) -> Identity:
        identity = await self._users.find_by_key(key, unit.transaction)
        if identity is None:
            raise _gone()
        return identity

    async def _hash(self, unit: UnitOfWork, password: str) -> str:
        return await self._database.run_without_connection(unit.transaction, self._passwords.hash(password))

    def _say_succeeded(self, call: Call, stored: StoredCredentials) -> None:
        if self._succeeded is not None:
            self._succeeded(SignInSucceeded(user_id=stored.subject, client=call.client))

    def _check_model(self, user: Any) -> None:
        if not isinstance(user, self._model):
            name = type(user).__name__
            raise TypeError(f"Accounts.register takes a {self._model.__name__}, the model of the users, not a {name}.")

    def _composed(self, declared: AnyAuthenticator) -> Authenticator:
        if isinstance(declared, BearerTokens):
            declared = declared.verified_by(self._tokens)
        return self.identities.cached(declared) if isinstance(declared, UserAuthenticator) else declared


def _check_new_user(user: Any, password: str) -> None:
    violations = new_password_violations(password)
    if not (isinstance(user.email, str) and is_email(user.email)):
        violations.append(FieldError("/email", "pattern_mismatch", "This is not an e-mail address."))
    _refuse(violations)


def _refuse(violations: Sequence[FieldError]) -> None:
    if violations:
        raise Unprocessable("invalid_body", "The body violates the declaration.", errors=sorted(violations))


def _gone() -> Unauthorized:
    return Unauthorized("invalid_credentials", "The user is gone or inactive.")
