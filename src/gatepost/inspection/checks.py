"""What a check is: a name, a weight, a hint, and a function that looks and gives a verdict."""

from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec

from gatepost.inspection.visit import Visit

SEVERE, MEDIUM, MINOR = 5, 3, 1
"""What a finding costs of the grade."""

Outcome = Literal["ok", "fail", "skip", "limited"]
"""What a check comes to; "skip" where it could not be made, "limited" where the rate limit refused: neither counts."""


class Verdict(msgspec.Struct, frozen=True):
    """What a check saw."""

    outcome: Outcome
    detail: str


Examine = Callable[[Visit], Awaitable[Verdict]]


class Check(msgspec.Struct, frozen=True):
    """One thing to look at. `hint` says what to do where the verdict is bad."""

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


def ok(detail: str) -> Verdict:
    """It is well."""
    return Verdict("ok", detail)


def failed(detail: str) -> Verdict:
    """It is not."""
    return Verdict("fail", detail)


def skipped(detail: str) -> Verdict:
    """It could not be looked at."""
    return Verdict("skip", detail)


def verdict(is_well: bool, detail: str) -> Verdict:
    """Good or bad, with what was seen."""
    return ok(detail) if is_well else failed(detail)
