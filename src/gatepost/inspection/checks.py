"""What a check is: a name, a weight, a hint, and a function that examines a server and gives a verdict."""

from collections.abc import Awaitable, Callable, Collection
from typing import Literal

import msgspec

from gatepost.inspection.visit import Visit

SEVERE, MEDIUM, MINOR = 5, 3, 1
"""How much a failed check lowers the grade."""

Outcome = Literal["ok", "fail", "skip", "limited"]
"""The result of a check; "skip" where it could not be made, "limited" where the rate limit refused: neither counts."""


class Verdict(msgspec.Struct, frozen=True):
    """What a check saw."""

    outcome: Outcome
    detail: str


Examine = Callable[[Visit], Awaitable[Verdict]]


class Check(msgspec.Struct, frozen=True):
    """One check. `hint` says what to do where it fails; `examine` raises `Skipped` where it cannot be made."""

    name: str
    weight: int
    hint: str
    examine: Examine


class Finding(msgspec.Struct, frozen=True):
    """A check with its verdict."""

    check: str
    outcome: Outcome
    detail: str
    weight: int
    hint: str | None = None


def verdict(is_well: bool, detail: str) -> Verdict:
    """Passed or failed, with what was seen."""
    return Verdict("ok" if is_well else "fail", detail)


def ok(detail: str) -> Verdict:
    """The server passed."""
    return verdict(True, detail)


def failed(detail: str) -> Verdict:
    """The server failed."""
    return verdict(False, detail)


def nothing_of(faults: Collection[str], otherwise: str) -> Verdict:
    """Failed with these faults; passed, and `otherwise` says how, where there is none."""
    return verdict(not faults, "; ".join(sorted(faults)) or otherwise)
