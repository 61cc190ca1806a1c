"""Verifying an e-mail and a password: the same refusal, after the same work, whatever is wrong with them."""

import contextlib

from gatepost.accounts.passwords import BYTES_MAX, LENGTH_MAX, Passwords, is_encodable
from gatepost.accounts.user_store import StoredCredentials, UserStore
from gatepost.database.database import Database
from gatepost.database.transactions import Transaction
from gatepost.errors import DatabaseProblem, Unauthorized
from gatepost.events import Events, SignInFailed


class PasswordCheck:
    """Verifies passwords of users, and renews hashes that were made with other parameters than today's."""

    def __init__(self, database: Database, users: UserStore, passwords: Passwords, events: Events) -> None:
        self._database = database
        self._users = users
        self._passwords = passwords
        self._failed = events.emitter(SignInFailed)

    async def authenticate(self, transaction: Transaction, email: str, password: str, client: str) -> StoredCredentials:
        """The user with this (normalised) e-mail and this password. Raises 401 `invalid_credentials`, whose reason only
        the log knows, and 503 `sign_in_busy`."""
        user = None
        if "\0" not in email and is_encodable(email):
            user = await self._users.find_credentials(email, transaction)
        checking = self._failure_reason(user, password)
        reason = await self._database.run_without_connection(transaction, checking)
        if user is None or reason is not None:
            if self._failed is not None:
                self._failed(SignInFailed(reason=reason or "unknown", client=client))
            raise Unauthorized("invalid_credentials", "The e-mail address or the password is wrong.")
        return user

    async def renew_hash(self, email: str, stored: str | None, password: str) -> None:
        """Store another hash of a password that was right, where the stored one has other parameters than today's."""
        if stored is None or not self._passwords.needs_rehash(stored):
            return
        renewed = await self._passwords.hash(password)
        # The password was right even if the database takes no writes at present: the next sign-in tries again.
        with contextlib.suppress(DatabaseProblem):
            await self._users.replace_hash(email, stored, renewed)

    async def _failure_reason(self, user: StoredCredentials | None, password: str) -> str | None:
        """Why the sign-in fails, for the log only; None where it succeeds. A password is verified in every case, so
        that the time reveals nothing."""
        stored = user.password_hash if user is not None else None
        is_possible = is_encodable(password) and len(password) <= LENGTH_MAX and len(password.encode()) <= BYTES_MAX
        matches = await self._passwords.verify(stored if is_possible else None, password if is_possible else "")
        if user is None:
            return "unknown"
        if stored is None:
            return "no_password"
        if not matches:
            return "wrong_password"
        return None if user.is_active else "inactive"
