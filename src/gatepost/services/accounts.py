"""Accounts in code: what controllers, services and mounts call to register users, to sign them in and to issue tokens.

The facade that users of Gatepost see. What it does is done by `accounts`, above: a unit of work has it from its
registry.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sqlalchemy import ColumnElement, String

from gatepost.declaring.row_expressions import TOKEN, CallValue
from gatepost.errors import ConfigurationError

if TYPE_CHECKING:
    from gatepost.services.unit_of_work import UnitOfWork

N = TypeVar("N")


class AccountOperations(Protocol):
    """What `Accounts` does, in a unit of work. Implemented by `accounts`."""

    async def register(self, unit: "UnitOfWork", user: Any, password: str) -> None:
        """See `Accounts.register`."""
        ...

    async def sign_in(self, unit: "UnitOfWork", email: str, password: str) -> Any:
        """See `Accounts.sign_in`."""
        ...

    async def issue(self, unit: "UnitOfWork", user: Any) -> str:
        """See `Accounts.issue`."""
        ...

    async def set_password(self, unit: "UnitOfWork", user: Any, password: str) -> str:
        """See `Accounts.set_password`."""
        ...


class Accounts:
    """The users who sign in: `accounts: Accounts` as a parameter of an endpoint or an attribute of a controller,
    `self.accounts` in a service, `tx.accounts` in a transaction, `app.accounts` anywhere else.

    In a call, everything happens in its transaction, and takes effect when that is committed. `app.accounts` has a
    transaction for each of these methods.
    """

    def __init__(self, opened: "Callable[[], AbstractAsyncContextManager[UnitOfWork]] | None" = None) -> None:
        """`opened` gives the unit of work in which a method works. Without it, only `token` can be called."""
        self._opened = opened

    async def register(self, user: N, password: str) -> N:
        """Create this user, who is the actor of the rest of the call. Also where no policy allows the caller to create
        one; a service of users that overrides `create` is called, as `system`.

        Counts for the address like an attempt to sign in. Raises 422 `invalid_body` for a password of a wrong length
        and for what is not an e-mail address, 409 `already_exists` where another user has the e-mail or another unique
        value, 429.
        """
        async with self._unit() as unit:
            await unit.account_operations.register(unit, user, password)
            return user

    async def sign_in(self, email: str, password: str) -> Any:
        """The user with this e-mail and password, who is the actor of the rest of the call.

        With the limits of `POST auth/login`, by address and account, and its device cookie. Raises 401
        `invalid_credentials` whatever is wrong, 429, and 503 `sign_in_busy`; `RuntimeError` outside of a request.
        """
        async with self._unit() as unit:
            return await unit.account_operations.sign_in(unit, email, password)

    async def issue(self, user: Any) -> str:
        """A new access token for this user: for other ways of signing in than by a password. Raises 401
        `invalid_credentials` for one who is inactive or gone."""
        async with self._unit() as unit:
            return await unit.account_operations.issue(unit, user)

    async def set_password(self, user: Any, password: str) -> str:
        """Give this user another password, which ends all tokens, and return a new token. Raises 422 `invalid_body` for
        a password of a wrong length."""
        async with self._unit() as unit:
            return await unit.account_operations.set_password(unit, user, password)

    def token(self) -> ColumnElement[str]:
        """The access token of the call, for `computed()`: the one that `register`, `sign_in` or `set_password` has
        issued in it for the actor, else the one that the request carries. NULL where it carries none: reading issues no
        token, so that other credentials, such as a cookie, never become one."""
        return CallValue(TOKEN, String())

    def _unit(self) -> "AbstractAsyncContextManager[UnitOfWork]":
        if self._opened is None:
            raise ConfigurationError(
                "belongs to no app.",
                location="Accounts()",
                hint="Annotate a parameter or an attribute of a controller, `accounts: Accounts`, or use app.accounts.",
            )
        return self._opened()


def accounts_in(unit: "UnitOfWork") -> Accounts:
    """Accounts that work in a unit of work."""
    return Accounts(lambda: nullcontext(unit))
