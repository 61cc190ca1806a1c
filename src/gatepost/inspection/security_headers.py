"""The security headers: each is looked for on the page itself, on HEAD, and on refusals."""

import re
from collections.abc import Callable

from gatepost.inspection.checks import MEDIUM, MINOR, SEVERE, Check, Verdict, failed, ok, verdict
from gatepost.inspection.raw_client import Reply
from gatepost.inspection.visit import Visit

HSTS_SECONDS_MIN = 15_552_000
"""Half a year: a shorter time does not count as strict."""

Fault = Callable[[str | None, Reply], str | None]
"""What is wrong with a header's value; None where nothing is."""


def policy_fault(value: str | None, reply: Reply) -> str | None:
    """What is wrong with a `Content-Security-Policy`: it has to stop what was not there when it was written."""
    if value is None:
        return "absent"
    rules: dict[str, list[str]] = {}
    for part in value.split(";"):
        name, *sources = part.split() or [""]
        rules.setdefault(name.lower(), sources)
    for needed in ("default-src", "frame-ancestors", "base-uri", "form-action"):
        if needed not in rules:
            return f"has no {needed}"
    default = rules["default-src"]
    if "json" in (reply.header("content-type") or "") and default != ["'none'"]:
        return "lets JSON load something: default-src is not 'none'"
    for name in ("script-src", "style-src", "object-src"):
        sources = rules.get(name, default)
        loose = {"'unsafe-inline'", "'unsafe-eval'", "*", "http:", "https:", "data:"} & set(sources)
        if loose and not any(source.startswith(("'nonce-", "'sha")) for source in sources):
            return f"{name} has {' '.join(sorted(loose))}"
    return None


def hsts_fault(value: str | None, _: Reply) -> str | None:
    """What is wrong with `Strict-Transport-Security` over TLS."""
    found = re.search(r"max-age=\"?(\d+)", value or "", re.IGNORECASE)
    if value is None or found is None:
        return "absent" if value is None else "has no max-age"
    return None if int(found[1]) >= HSTS_SECONDS_MIN else f"holds for {found[1]} s only"


def one_of(*values: str) -> Fault:
    """Any of these values, whatever their case."""
    return lambda value, _: None if value is not None and value.lower() in values else (value or "absent")


def present(value: str | None, _: Reply) -> str | None:
    """Any value at all."""
    return None if value else "absent"


def check_of(header: str, weight: int, fault: Fault, wanted: str) -> Check:
    """The check of one header on all responses."""

    async def examine(visit: Visit) -> Verdict:
        name = header.lower()
        faults = {what: fault(reply.header(name), reply) for what, reply in visit.responses.items() if reply.status}
        bad = {what: found for what, found in faults.items() if found is not None}
        if len(bad) == len(faults) and len(set(bad.values())) == 1:
            return failed(f"{bad.popitem()[1]}, on every response")
        shown = "; ".join(f"{what}: {found}" for what, found in bad.items())
        return failed(shown) if bad else ok(visit.page.header(name) or "")

    return Check(header, weight, f"Send `{header}: {wanted}` on every response, refusals included.", examine)


async def examine_hsts(visit: Visit) -> Verdict:
    """Over TLS it has to be there; over plain HTTP it has no meaning (RFC 6797, section 7.2)."""
    name = "strict-transport-security"
    if not visit.target.is_tls:
        sent = [what for what, reply in visit.responses.items() if reply.header(name) is not None]
        return verdict(not sent, f"sent over plain HTTP on {', '.join(sent)}" if sent else "not sent over plain HTTP")
    checked = check_of(name, SEVERE, hsts_fault, "")
    return await checked.examine(visit)


CHECKS: tuple[Check, ...] = (
    check_of(
        "Content-Security-Policy",
        SEVERE,
        policy_fault,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    check_of("Cross-Origin-Opener-Policy", MINOR, one_of("same-origin"), "same-origin"),
    check_of("Cross-Origin-Resource-Policy", MEDIUM, one_of("same-origin", "same-site", "cross-origin"), "same-origin"),
    check_of("Origin-Agent-Cluster", MINOR, one_of("?1"), "?1"),
    check_of("Permissions-Policy", MINOR, present, "camera=(), geolocation=(), microphone=()"),
    check_of(
        "Referrer-Policy",
        MEDIUM,
        one_of("no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"),
        "no-referrer",
    ),
    check_of("X-Content-Type-Options", SEVERE, one_of("nosniff"), "nosniff"),
    check_of("X-DNS-Prefetch-Control", MINOR, one_of("off"), "off"),
    check_of("X-Download-Options", MINOR, one_of("noopen"), "noopen"),
    check_of("X-Frame-Options", MEDIUM, one_of("deny", "sameorigin"), "DENY"),
    check_of("X-Permitted-Cross-Domain-Policies", MINOR, one_of("none", "none-this-response"), "none"),
    check_of("X-XSS-Protection", MINOR, one_of("0"), "0"),
    Check(
        "Strict-Transport-Security",
        SEVERE,
        "Send `Strict-Transport-Security: max-age=31536000; includeSubDomains` over TLS, and only there.",
        examine_hsts,
    ),
)
