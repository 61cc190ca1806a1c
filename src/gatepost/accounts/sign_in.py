"""Sign-in: `POST auth/login` and `GET auth/me`, as an application would write them.

They stand behind the same gate as every endpoint and import public names only; what they do is done by `Accounts`.
"""

from typing import TypedDict
from uuid import UUID

from gatepost import Accounts, Actor, Controller, Credentials, Dialect, Settings, anyone, authenticated, get, post

BODY_BYTES_MAX = 8192


class AccessToken(TypedDict):
    """A token, and for how many seconds it is valid."""

    access_token: str
    token_type: str
    expires_in: int


class CurrentUser(TypedDict):
    """Who is signed in."""

    id: UUID | int | str
    email: str | None
    roles: list[str]


class SignIn(Controller):
    """Signing in, for an access token."""

    path = "auth"
    accounts: Accounts
    settings: Settings
    dialect: Dialect

    @post("/login", allow=anyone, auth=True, body_bytes_max=BODY_BYTES_MAX)
    async def login(self, body: Credentials) -> AccessToken:
        """Sign in with an e-mail and a password.

        No cache stores the token, because it comes with a cookie.
        """
        user = await self.accounts.sign_in(body.email, body.password)
        return {
            "access_token": await self.accounts.issue(user),
            "token_type": self.dialect.scheme,
            "expires_in": round(self.settings.auth.token_minutes * 60),
        }


class SignedIn(Controller):
    """Who is signed in."""

    path = "auth"

    @get("/me", allow=authenticated, cache_control="no-store")
    async def me(self, actor: Actor) -> CurrentUser:
        """Show the signed-in user."""
        return {"id": actor.require_id(), "email": getattr(actor.user, "email", None), "roles": sorted(actor.roles)}
