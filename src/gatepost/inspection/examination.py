"""The examination: all checks of all subjects in order, and the grade that comes of them."""

import asyncio

import msgspec

from gatepost.inspection import (
    cross_origin,
    error_responses,
    framing,
    leaks,
    limits,
    methods,
    security_headers,
    slow_clients,
    transport,
)
from gatepost.inspection.checks import Check, Finding, Verdict, failed
from gatepost.inspection.raw_client import RateLimited, RawClient
from gatepost.inspection.target import target_of
from gatepost.inspection.visit import Skipped, Visit

SUBJECTS: dict[str, tuple[Check, ...]] = {
    "transport": transport.CHECKS,
    "security headers": security_headers.CHECKS,
    "other origins": cross_origin.CHECKS,
    "methods": methods.CHECKS,
    "limits": limits.CHECKS,
    "framing": framing.CHECKS,
    "slow clients": slow_clients.CHECKS,
    "error responses": error_responses.CHECKS,
    "leaks": leaks.CHECKS,
}
"""In this order: leaks look at what came back to all others."""

PATIENCE_SECONDS = 20.0
"""A server that tolerates a slow client for longer can be kept busy by a few hundred of them."""

GRADES = ((95, "A"), (85, "B"), (70, "C"), (50, "D"), (0, "F"))


class Report(msgspec.Struct, frozen=True):
    """What was found. `percent` weighs what is well against all that could be looked at, and is 100 for nothing less.

    `is_complete` is False where the server's rate limit kept checks from being made.
    """

    url: str
    percent: int
    grade: str
    is_complete: bool
    subjects: dict[str, list[Finding]]

    @property
    def is_well(self) -> bool:
        """Nothing was found, and everything was looked at that could be."""
        return self.percent == 100 and self.is_complete


async def examine(
    url: str, *, post_path: str | None = None, origin: str | None = None, patience_seconds: float = PATIENCE_SECONDS
) -> Report:
    """Examine the server at a URL. Takes as long as the server tolerates slow clients, or `patience_seconds`.

    Raises `ConfigurationError` where there is no server to examine.
    """
    target = target_of(url)
    client = RawClient(target, transport.lenient_context() if target.is_tls else None)
    visit = Visit(client, post_path=post_path, origin=origin, patience_seconds=patience_seconds)
    await visit.begin()
    waiting = {check: asyncio.ensure_future(verdict_of(check, visit)) for check in slow_clients.CHECKS}
    verdicts: dict[Check, Verdict] = {}
    for check in (check for checks in SUBJECTS.values() for check in checks if check not in waiting):
        if check in leaks.CHECKS:
            await asyncio.wait(waiting.values())
        verdicts[check] = await verdict_of(check, visit)
    verdicts |= {check: await task for check, task in waiting.items()}
    return _report(url, verdicts)


async def verdict_of(check: Check, visit: Visit) -> Verdict:
    """The verdict of a check, whatever it meets."""
    try:
        return await check.examine(visit)
    except Skipped as reason:
        return Verdict("skip", str(reason))
    except RateLimited as error:
        return Verdict("limited", f"the rate limit refused; try again in {error.seconds} seconds")
    except (OSError, TimeoutError) as error:
        return failed(f"the server cannot be reached any more: {str(error) or type(error).__name__}")


def _report(url: str, verdicts: dict[Check, Verdict]) -> Report:
    subjects = {subject: [_finding(check, verdicts[check]) for check in checks] for subject, checks in SUBJECTS.items()}
    findings = [finding for found in subjects.values() for finding in found]
    well = sum(finding.weight for finding in findings if finding.outcome == "ok")
    bad = sum(finding.weight for finding in findings if finding.outcome == "fail")
    percent = 100 * well // (well + bad)
    grade = next(letter for bound, letter in GRADES if percent >= bound)
    is_complete = all(finding.outcome != "limited" for finding in findings)
    return Report(url, percent, grade, is_complete, subjects)


def _finding(check: Check, verdict: Verdict) -> Finding:
    hint = check.hint if verdict.outcome == "fail" else None
    return Finding(check.name, verdict.outcome, verdict.detail, check.weight, hint)
