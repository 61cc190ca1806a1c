"""`POST /console/session`: signs a user in to the console, as an application would write it: public names only."""

from gatepost import Accounts, Actor, Call, Controller, Credentials, Response, anyone, post
from gatepost.console.console_sessions import ConsoleSessions, check_own_origin, shown_session

BODY_BYTES_MAX = 8192


class ConsoleSignIn(Controller):
    """Signing in to the console."""

    path = "console/session"
    accounts: Accounts
    sessions: ConsoleSessions

    @post("", allow=anyone, auth=True, body_bytes_max=BODY_BYTES_MAX, document=False)
    async def sign_in(self, body: Credentials, call: Call) -> Response:
        """Sign in with an e-mail and a password, for a cookie that lives for eight hours.

        With the limits of `POST auth/login`. Users without the role are refused.
        """
        check_own_origin(call)
        user = await self.accounts.sign_in(body.email, body.password)
        actor: Actor = call.actor
        self.sessions.begin(call, actor, user.password_version)
        return Response.json(shown_session(actor), cache_control="no-store")
