"""`BrowserSessions`: browsers in which somebody has entered the token of the admin port; and `WrongTokens`, those who
guess it. Both are of one monitor, in its memory: another one asks for the token again."""

import hashlib
import ipaddress
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import NamedTuple

LIFETIME_SECONDS = 8 * 3600.0
SESSIONS_MAX = 100

WRONG_MAX = 5
WRONG_SECONDS = 60.0
NETWORKS_MAX = 1000
"""Of which wrong tokens are counted at a time: those that guessed last."""
_IPV6_PREFIX = 64


class _Session(NamedTuple):
    operator: str
    until: float


class BrowserSessions:
    """Those that have begun. For threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: OrderedDict[bytes, _Session] = OrderedDict()

    def begin(self, operator: str) -> str:
        """A new one of an operator with this name: its secret. Where there are too many, the oldest ends."""
        secret = secrets.token_urlsafe(32)
        with self._lock:
            self._sessions[_digest(secret)] = _Session(operator, self._clock() + LIFETIME_SECONDS)
            while len(self._sessions) > SESSIONS_MAX:
                self._sessions.popitem(last=False)
        return secret

    def find(self, secret: str) -> str | None:
        """The name of the operator; None where there is no such session, or no longer."""
        # Of digests the time of a comparison says nothing about the secret.
        with self._lock:
            found = self._sessions.get(_digest(secret))
        return found.operator if found is not None and self._clock() < found.until else None

    def end(self, secret: str) -> None:
        """End one, where there is one."""
        with self._lock:
            self._sessions.pop(_digest(secret), None)


class WrongTokens:
    """How often an address, or an IPv6 network, has sent a wrong token lately. For threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._moments: OrderedDict[str, deque[float]] = OrderedDict()

    def note(self, address: str) -> None:
        """It has sent one."""
        network = _network(address)
        with self._lock:
            self._moments.setdefault(network, deque(maxlen=WRONG_MAX)).append(self._clock())
            self._moments.move_to_end(network)
            while len(self._moments) > NETWORKS_MAX:
                self._moments.popitem(last=False)

    def wait_seconds(self, address: str) -> float:
        """How long its tokens are not looked at."""
        with self._lock:
            moments = self._moments.get(_network(address))
            if moments is None or len(moments) < WRONG_MAX:
                return 0.0
            return max(0.0, moments[0] + WRONG_SECONDS - self._clock())


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="replace")).digest()


def _network(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    return str(ipaddress.ip_network(f"{address.partition('%')[0]}/{_IPV6_PREFIX}", strict=False))
