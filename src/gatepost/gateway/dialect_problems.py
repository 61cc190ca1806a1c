"""Refusals in the form of a dialect, for the paths below a prefix. `problems.py` makes responses of them."""

from collections.abc import Callable

import msgspec

from gatepost.call import Call
from gatepost.errors import Problem

Describe = Callable[[Problem, str | None], object]
"""Makes the body of a refusal, of the problem and the name of what it is about."""

_encode = msgspec.json.Encoder(enc_hook=str).encode


class DialectProblems:
    """The bodies of refusals below `prefix`, as `describe` says."""

    def __init__(self, prefix: str, describe: Describe) -> None:
        self._root = prefix
        self._below = f"{prefix}/"
        self._describe = describe

    def concerns(self, call: Call) -> bool:
        """Whether the dialect has a say: the request has a path, and it is below the prefix."""
        path = call.scope["path"]
        return not call.is_malformed and (path.startswith(self._below) or path == self._root)

    def body(self, problem: Problem, call: Call) -> bytes:
        """The body of a refusal. Raises what the application's function raises."""
        name = problem.about
        if name is None and call.endpoint is not None:
            name = call.endpoint.operation.envelope
        return _encode(self._describe(problem, name))
