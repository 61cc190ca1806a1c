"""Leaks: what the responses of the whole visit tell of the inside. Examined last, over everything that came back."""

import re

from gatepost.inspection.checks import MEDIUM, MINOR, SEVERE, Check, Verdict, nothing_of
from gatepost.inspection.visit import Visit

NAMING = ("server", "x-powered-by", "x-aspnet-version", "x-aspnetmvc-version", "x-runtime", "x-generator", "via")
INSIDE = re.compile(
    rb"Traceback \(most recent call last\)|File \"[^\"]+\.py\", line \d+|\bat [\w.$<>]+ ?\(.*\.(?:js|java|ts):\d+"
    rb"|goroutine \d+ \[|/site-packages/|/home/\w+/|SQLSTATE|syntax error at or near|DEBUG = True|Werkzeug Debugger"
    rb"|sqlalchemy\.exc|asyncpg\.|psycopg"
)
STRANGE_PATHS = ("/%00", "/%ff", "/..%2f..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/a%5cb")
SHOWN_MAX = 3
"""Of faults that any number of responses may have."""

PRIVATE_PATHS = ("/.env", "/.git/config")
PRIVATE = re.compile(rb"^\s*\[core\]|^\w+=|^root:x:0:", re.MULTILINE)


async def examine_files(visit: Visit) -> Verdict:
    """Files that belong to the machine and not to the web."""
    found: list[str] = []
    for path in (*PRIVATE_PATHS, *STRANGE_PATHS):
        reply = await visit.client.ask("GET", path)
        if reply.status == 200 and PRIVATE.search(reply.body):
            found.append(f"{path} is served")
    return nothing_of(found, "none of the files that attackers try first")


async def examine_versions(visit: Visit) -> Verdict:
    """Headers that tell an attacker which list of holes to look into."""
    named = {
        f"{name}: {value}"
        for reply in visit.client.replies
        for name, value in reply.headers
        if name in NAMING and (name != "server" or re.search(r"\d", value))
    }
    return nothing_of(named, "no version is named")


async def examine_insides(visit: Visit) -> Verdict:
    """Traces, paths and SQL in what came back."""
    found = {
        f"{reply.asked!r}: {match[0].decode('latin-1')[:60]}"
        for reply in visit.client.replies
        if (match := INSIDE.search(reply.body)) is not None
    }
    return nothing_of(sorted(found)[:SHOWN_MAX], f"nothing in {len(visit.client.replies)} responses")


async def examine_failures(visit: Visit) -> Verdict:
    """5xx responses: an anonymous client has found an unhandled case."""
    broken = [reply for reply in visit.client.replies if reply.status >= 500 and reply.status not in (501, 505)]
    return nothing_of([f"{reply.asked!r} gets {reply}" for reply in broken[:SHOWN_MAX]], "none")


async def examine_cookies(visit: Visit) -> Verdict:
    """Cookies that scripts can read, or that travel where they should not."""
    cookies = [value for reply in visit.client.replies for name, value in reply.headers if name == "set-cookie"]
    needed = ["httponly", "samesite", *(["secure"] if visit.target.is_tls else [])]
    bare = {
        f"{cookie.partition('=')[0]} lacks {word}"
        for cookie in cookies
        for word in needed
        if word not in cookie.lower()
    }
    return nothing_of(bare, f"{len(cookies)} seen" if cookies else "none are set")


CHECKS: tuple[Check, ...] = (
    Check("private files", SEVERE, "Serve files from one folder that holds nothing else.", examine_files),
    Check("versions", MINOR, "Leave versions out of Server, and X-Powered-By out altogether.", examine_versions),
    Check("insides", SEVERE, "Respond to bugs with a generic 500; keep the traceback in the log.", examine_insides),
    Check("failures", MEDIUM, "Refuse malformed requests before they reach application code.", examine_failures),
    Check("cookies", MEDIUM, "Set cookies with HttpOnly, SameSite and, over TLS, Secure.", examine_cookies),
)
