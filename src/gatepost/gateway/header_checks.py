"""The head of a request: what it says twice, who it is from, its size, its method, its Host.

First thing behind the server, which has parsed the head and let pass more than RFC 9112 does. A head that another
reader could take for another request is refused and its connection closed. What the server hides from an application
(docs/reference/malformed-requests.md lists it) is the work of the proxy in front.
"""

from collections.abc import Sequence

from gatepost.call import METHODS, REFUSED_METHODS, Call, FindMatch
from gatepost.errors import (
    BadRequest,
    ExpectationFailed,
    HeadersTooLarge,
    MethodNotAllowed,
    MisdirectedRequest,
    NotImplementedMethod,
    Problem,
)
from gatepost.gateway.allowed_hosts import AllowedHosts
from gatepost.gateway.header_profiles import CLOSE
from gatepost.gateway.trusted_proxies import TrustedProxies
from gatepost.settings import GateSettings

_KNOWN_METHODS = frozenset(METHODS)

SINGLETON_HEADERS = frozenset(
    {b"host", b"content-length", b"content-type", b"authorization", b"origin", b"access-control-request-method"}
)
"""Headers of which two readers may believe different ones: they stand once. Of all others many lines are one list
(RFC 9110, section 5.3)."""


class HeaderChecks:
    """The rules for heads. `match` is the gate's; it tells what is asked for, where a refusal depends on that."""

    def __init__(
        self, settings: GateSettings, match: FindMatch, credential_headers: Sequence[str] = ("authorization",)
    ) -> None:
        self._singletons = SINGLETON_HEADERS | {name.encode() for name in credential_headers if name != "cookie"}
        self._trusted_proxies = TrustedProxies(settings.trusted_proxies) if settings.trusted_proxies else None
        self._count_max = settings.header_count_max
        self._values_bytes_max = settings.header_bytes_max
        self._hosts = AllowedHosts(settings.allowed_hosts)
        self._known_hosts = self._hosts.known
        self._match = match

    def check(self, call: Call) -> None:
        """Raise 400 `malformed_request`, 405 `method_not_allowed`, 417 `expectation_failed`, 421 `unknown_host`,
        431 `headers_too_large`, 501 `method_not_implemented`.

        Leaves in `request.headers` every header that came in several lines as one list, and in `request.client`,
        the scope's scheme and `Host` what trusted proxies say.
        """
        scope = call.scope
        count = len(scope["headers"])
        if count != len(call.headers):
            _join(call, self._singletons)
        if self._trusted_proxies is not None:
            self._trusted_proxies(call)
        headers = call.headers
        if count > self._count_max or len(b"".join(headers.values())) > self._values_bytes_max:
            raise HeadersTooLarge(
                "headers_too_large",
                f"There may be {self._count_max} headers with {self._values_bytes_max} bytes of values in all.",
                headers=[CLOSE],
            )
        if scope["method"] not in _KNOWN_METHODS:
            raise self._refused_method(scope["method"], scope["path"])
        if headers.get(b"host") not in self._known_hosts:
            self._check_host(call)
        if b"expect" in headers and headers[b"expect"].lower() != b"100-continue":
            raise ExpectationFailed("expectation_failed", "The only expectation met here is 100-continue.")

    def _check_host(self, call: Call) -> None:
        host = call.headers.get(b"host", b"")
        if not host and call.scope["http_version"] < "1.1":
            return  # HTTP/1.0 knows no Host; the health checks of load balancers still speak it
        try:
            self._hosts.check(host)
        except MisdirectedRequest:
            if not self._is_probe(call.scope["method"], call.scope["path"]):
                raise

    def _is_probe(self, method: str, path: str) -> bool:
        """Whether this is what load balancers ask for, by address."""
        try:
            return self._match(method, path)[0].kind == "probe"
        except Problem:
            return False

    def _refused_method(self, method: str, path: str) -> Problem:
        if method not in REFUSED_METHODS:
            detail = f"No path of this server knows {method[:20]!r}."
            return NotImplementedMethod("method_not_implemented", detail, headers=[CLOSE])
        try:
            self._match(method, path)
        except Problem as problem:  # no such path, or its methods
            return problem
        allow = ", ".join(METHODS)  # another application responds there
        return MethodNotAllowed("method_not_allowed", f"{method} is not allowed.", headers=[(b"allow", allow.encode())])


def _join(call: Call, singletons: frozenset[bytes]) -> None:
    """One value for each name; `BadRequest` for a header that has to stand once."""
    lines: dict[bytes, list[bytes]] = {}
    for name, value in call.scope["headers"]:
        lines.setdefault(name, []).append(value)
    for name, values in lines.items():
        if len(values) > 1:
            if name in singletons:
                raise BadRequest("malformed_request", f"There are two headers {name.decode()}.", headers=[CLOSE])
            call.headers[name] = (b"; " if name == b"cookie" else b", ").join(values)
