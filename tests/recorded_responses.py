"""Records what apps answer in tests, and holds it against their OpenAPI documents: each kind of response once per app.

An app is known by its declaration, so that the documents of an app that many tests start are made once.
"""

import json
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

import pytest
from tests.described_responses import HEADERS, METHODS, DescribedResponses

from gatepost.call import Call
from gatepost.composition import Composition
from gatepost.declaration import Declaration
from gatepost.error_codes import CODES
from gatepost.gateway.gate import GateMiddleware

BODIES_MAX = 20
"""Bodies of each kind of response that are validated: those that come first."""


class _Described:
    """The documents of one declaration, and the kinds of responses that have been looked at."""

    def __init__(self, composition: Composition) -> None:
        self.whole = DescribedResponses(composition.openapi.full())
        self.seen: dict[Any, int] = {}
        self.of_actors: dict[str, DescribedResponses] = {}

    def of_actor(self, composition: Composition, call: Call) -> DescribedResponses:
        """The document of the actor of a call."""
        encoded = composition.openapi.document(call.actor)
        if encoded.tag not in self.of_actors:
            self.of_actors[encoded.tag] = DescribedResponses(json.loads(encoded.body))
        return self.of_actors[encoded.tag]


class RecordedResponses:
    """The responses of all apps of a process."""

    def __init__(self) -> None:
        self._compositions: WeakValueDictionary[int, Composition] = WeakValueDictionary()
        self._described: WeakKeyDictionary[Declaration, _Described] = WeakKeyDictionary()
        self._found: list[str] = []

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Listen to all gates that apps compose from now on."""
        compose, serve = Composition.__init__, GateMiddleware.__call__

        def composed(composition: Composition, *arguments: Any, **named: Any) -> None:
            compose(composition, *arguments, **named)
            self._compositions[id(composition.gate)] = composition

        async def served(gate: GateMiddleware, scope: Any, receive: Any, send: Any) -> None:
            composition = self._compositions.get(id(gate))
            if composition is None or scope["type"] != "http":
                await serve(gate, scope, receive, send)
            else:
                await serve(gate, scope, receive, self._recording(composition, scope, send))

        patch.setattr(Composition, "__init__", composed)
        patch.setattr(GateMiddleware, "__call__", served)

    def taken(self) -> list[str]:
        """What has been found since the last time."""
        found, self._found = self._found, []
        return found

    def _recording(self, composition: Composition, scope: Any, send: Any) -> Callable[[Any], Any]:
        started: list[Any] = []

        async def record(message: Any) -> None:
            if message["type"] == "http.response.start":
                started[:] = [scope["gatepost"], message]
            elif started and not message.get("more_body", False):
                call, start = started
                self._check(composition, call, start, message.get("body", b""))
                started.clear()
            else:
                started.clear()  # sent in parts
            await send(message)

        return record

    def _check(self, composition: Composition, call: Call, start: Any, body: bytes) -> None:
        operation = None if call.endpoint is None else call.endpoint.operation
        if operation is None or operation.method.lower() not in METHODS or not _is_documented(composition, operation):
            return
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]}
        status, method, path = start["status"], call.scope["method"], call.scope["path"]
        described = self._described.get(composition.declaration)
        if described is None:
            described = self._described[composition.declaration] = _Described(composition)
        code = call.code if status >= 400 else None  # else that of a stream, whose status was sent before
        kind = (operation.name, method, status, code, frozenset(HEADERS & headers.keys()))
        count = described.seen[kind] = described.seen.get(kind, 0) + 1
        if code is None and composition.declaration.middleware and status >= 400:
            return  # a middleware of the application has responded
        if count == 1:
            is_own = code not in CODES
            self._found += described.whole.undescribed(method, path, status, headers, code, is_own=is_own)
        if count <= BODIES_MAX and method != "HEAD" and "content-encoding" not in headers:
            document = described.of_actor(composition, call)
            self._found += document.misfits(method, path, status, headers.get("content-type", ""), body)


def _is_documented(composition: Composition, operation: Any) -> bool:
    if operation.name == "problem" or operation.path.startswith("/console"):
        return False
    bound = next((item.bound for item in composition.described.endpoints if item.operation is operation), None)
    return bound is None or bound.method.route.document
