"""What requests to an application of another framework go through before it gets them, by the rules of their paths.

Behind the gate: in `Gate(app)` for every path, in a mount for the paths that it declares. The application gets JSON
that is checked, and its sign-ins are counted.
"""

from collections.abc import Callable, Mapping, Set

from gatepost.asgi import Receive, Send
from gatepost.call import Call
from gatepost.device_cookies import Devices
from gatepost.gateway.body_limits import LimitedReceive
from gatepost.gateway.json_bodies import read_json_body
from gatepost.gateway.limiter import Limiter
from gatepost.gateway.path_rules import PathRules
from gatepost.gateway.path_table import PathPattern
from gatepost.gateway.sign_in_attempts import SignInAttempts
from gatepost.operations import RouteRules

SignIns = Mapping[RouteRules | None, SignInAttempts]
"""The attempts to sign in of the paths that declare them."""


def sign_ins_of(
    declared: Mapping[RouteRules, tuple[PathRules, PathPattern]], devices: Callable[[PathPattern], Devices]
) -> SignIns:
    """What counts the attempts to sign in at declared paths; `devices` makes the cookies of one."""
    found: dict[RouteRules | None, SignInAttempts] = {}
    for route, (rules, pattern) in declared.items():
        account = None if rules.account is None else (rules.account, devices(pattern))
        found[route] = SignInAttempts(account, rules.signed_in or ())
    return found


class ForeignRequests:
    """Prepares requests: `strict_json` are the routes whose JSON is checked, by `check_json`."""

    def __init__(
        self,
        strict_json: Set[RouteRules | None],
        check_json: Callable[[bytes], None],
        sign_ins: SignIns,
        limiter: Limiter,
    ) -> None:
        self._strict_json = strict_json
        self._check_json = check_json
        self._sign_ins = sign_ins
        self._limiter = limiter

    async def prepare(self, call: Call, receive: Receive, send: Send) -> tuple[Receive, Send]:
        """The `receive` and `send` for the application. Raises the refusal of the body, and 429 `too_many_requests`."""
        if type(receive) is LimitedReceive and call.rules in self._strict_json:
            receive = await read_json_body(call, receive, self._check_json)
        sign_in = self._sign_ins.get(call.rules)
        return (receive, send) if sign_in is None else await sign_in.admit(call, receive, send, self._limiter)
