"""Refusals in the form of a dialect, for the paths below a prefix. `problems.py` makes responses of them."""

from collections.abc import Callable, Mapping

import msgspec

from gatepost.call import Call
from gatepost.errors import Problem

Describe = Callable[[Problem, str | None], object]
"""Makes the body of a refusal, of the problem and the name of what it is about."""

_encode = msgspec.json.Encoder(enc_hook=str).encode


class DialectProblems:
    """The bodies of refusals below prefixes, as the function of each says. The longest prefix decides; one without a
    function has problem details."""

    def __init__(self, by_prefix: Mapping[str, Describe | None]) -> None:
        longest_first = sorted(by_prefix, key=len, reverse=True)
        self._by_prefix = tuple((prefix, f"{prefix}/", by_prefix[prefix]) for prefix in longest_first)

    def concerns(self, call: Call) -> bool:
        """Whether a dialect has a say: the request has a path, and it is below a prefix of one."""
        return not call.is_malformed and self._find(call) is not None

    def body(self, problem: Problem, call: Call) -> bytes:
        """The body of a refusal that concerns a dialect. Raises what the application's function raises."""
        name = problem.about
        if name is None and call.endpoint is not None:
            name = call.endpoint.operation.envelope
        describe = self._find(call)
        assert describe is not None  # noqa: S101 - `concerns` was asked before
        return _encode(describe(problem, name))

    def _find(self, call: Call) -> Describe | None:
        path = call.scope["path"]
        for root, below, describe in self._by_prefix:
            if path.startswith(below) or path == root:
                return describe
        return None
