"""Limits: how much an anonymous client can make the server hold, and how often."""

from gatepost.inspection.checks import MEDIUM, MINOR, SEVERE, Check, Verdict, failed, ok, verdict
from gatepost.inspection.raw_client import Reply
from gatepost.inspection.visit import Skipped, Visit

TEN_GIGABYTES = 10_000_000_000
WAIT_SECONDS = 5.0
URL_BYTES = 70_000
HEADER_BYTES = 131_072
HEADER_COUNT = 500
JSON_DEPTH = 20_000
ANNOUNCED = ("ratelimit", "ratelimit-policy", "ratelimit-limit", "x-ratelimit-limit", "x-rate-limit-limit")


async def examine_rate(visit: Visit) -> Verdict:
    """Whether the responses announce a rate limit. It is not exhausted to see."""
    named = [f"{name}: {value}" for name in ANNOUNCED if (value := visit.page.header(name)) is not None]
    return verdict(bool(named), ", ".join(named) or "none is announced")


async def examine_url(visit: Visit) -> Verdict:
    """A very long URL."""
    reply = await visit.client.ask("GET", f"{visit.target.path.partition('?')[0]}?x={'a' * URL_BYTES}")
    return _too_much(reply, f"a URL of {URL_BYTES} bytes", (400, 413, 414, 431))


async def examine_header_bytes(visit: Visit) -> Verdict:
    """A very long header."""
    reply = await visit.client.ask("GET", None, f"x-long: {'a' * HEADER_BYTES}")
    return _too_much(reply, f"a header of {HEADER_BYTES} bytes", (400, 413, 431))


async def examine_header_count(visit: Visit) -> Verdict:
    """Very many headers."""
    reply = await visit.client.ask("GET", None, *(f"x-{number}: 1" for number in range(HEADER_COUNT)))
    return _too_much(reply, f"{HEADER_COUNT} headers", (400, 413, 431))


async def examine_body(visit: Visit) -> Verdict:
    """A body of ten gigabytes is announced, and never sent."""
    length = f"content-length: {TEN_GIGABYTES}"
    head = visit.client.head("POST", visit.post_target(), "content-type: application/json", length)
    reply = await visit.client.send(head, seconds=WAIT_SECONDS)
    if reply.is_refusal:
        return ok(f"ten gigabytes are refused with {reply}")
    return failed(f"ten gigabytes get {reply}" if reply.status else "the server waits for ten gigabytes")


async def examine_depth(visit: Visit) -> Verdict:
    """JSON that nests far deeper than anything means."""
    reply = await visit.post("application/json", b"[" * JSON_DEPTH + b"]" * JSON_DEPTH)
    return verdict(reply.is_refusal, f"{JSON_DEPTH} levels of JSON get {reply}")


async def examine_type(visit: Visit) -> Verdict:
    """A type that a browser sends to other origins without asking first."""
    reply = await visit.post("text/plain", b"gatepost-doctor")
    if reply.status in (401, 403, 404, 405):
        raise Skipped(f"POST gets {reply} before its content type is checked")
    return verdict(reply.status == 415, f"text/plain gets {reply}")


def _too_much(reply: Reply, what: str, refusing: tuple[int, ...]) -> Verdict:
    return verdict(reply.status in refusing or reply.is_closed, f"{what}: {reply}")


CHECKS: tuple[Check, ...] = (
    Check("rate limit", SEVERE, "Limit requests per client: send RateLimit and RateLimit-Policy.", examine_rate),
    Check("body size", SEVERE, "Refuse an announced length above the limit with 413, without waiting.", examine_body),
    Check("content type", MEDIUM, "Refuse types other than those declared with 415.", examine_type),
    Check("JSON depth", MEDIUM, "Bound the depth of JSON.", examine_depth),
    Check("URL length", MINOR, "Refuse long URLs with 414.", examine_url),
    Check("header size", MEDIUM, "Refuse large headers with 431.", examine_header_bytes),
    Check("header count", MINOR, "Refuse many headers with 431.", examine_header_count),
)
