"""Limits: how much an anonymous client can make the server hold, and how often."""

from gatepost.inspection.checks import MEDIUM, MINOR, SEVERE, Check, Verdict, failed, ok, skipped, verdict
from gatepost.inspection.raw_client import Reply
from gatepost.inspection.visit import Visit

TEN_GIGABYTES = 10_000_000_000
WAIT_SECONDS = 5.0
URL_BYTES = 70_000
HEADER_BYTES = 131_072
HEADER_COUNT = 500
JSON_DEPTH = 20_000
NO_POST = "no path that takes POST is known: name one with --post"
ANNOUNCED = ("ratelimit", "ratelimit-policy", "ratelimit-limit", "x-ratelimit-limit", "x-rate-limit-limit")


async def post(visit: Visit, *headers: str, body: bytes = b"") -> Reply:
    """A POST to the path that takes one."""
    return await visit.client.ask("POST", visit.post_path, *headers, body=body)


async def examine_rate(visit: Visit) -> Verdict:
    """Whether the answers tell of a rate limit. It is not used up to see."""
    named = [name for name in ANNOUNCED if visit.page.header(name) is not None]
    return verdict(
        bool(named), ", ".join(f"{name}: {visit.page.header(name)}" for name in named) or "none is announced"
    )


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
    if visit.post_path is None:
        return skipped(NO_POST)
    head = [f"POST {visit.post_path} HTTP/1.1", f"host: {visit.target.authority}", "content-type: application/json"]
    request = "\r\n".join([*head, f"content-length: {TEN_GIGABYTES}", "", ""]).encode("latin-1")
    reply = await visit.client.send(request, seconds=WAIT_SECONDS)
    if reply.is_refusal:
        return ok(f"ten gigabytes are refused with {reply}")
    return failed(f"ten gigabytes get {reply}" if reply.status else "the server waits for ten gigabytes")


async def examine_depth(visit: Visit) -> Verdict:
    """JSON that nests far deeper than anything means."""
    if visit.post_path is None:
        return skipped(NO_POST)
    reply = await post(visit, "content-type: application/json", body=b"[" * JSON_DEPTH + b"]" * JSON_DEPTH)
    return verdict(reply.is_refusal, f"{JSON_DEPTH} levels of JSON get {reply}")


async def examine_type(visit: Visit) -> Verdict:
    """A type that a browser sends to other origins without asking first."""
    if visit.post_path is None:
        return skipped(NO_POST)
    reply = await post(visit, "content-type: text/plain", body=b"gatepost-doctor")
    if reply.status in (401, 403, 404, 405):
        return skipped(f"POST gets {reply} before its content type is checked")
    return verdict(reply.status == 415, f"text/plain gets {reply}")


def _too_much(reply: Reply, what: str, refusing: tuple[int, ...]) -> Verdict:
    is_refused = reply.status in refusing or (reply.status == 0 and reply.ended)
    return verdict(is_refused, f"{what}: {reply}")


CHECKS: tuple[Check, ...] = (
    Check(
        "rate limit",
        SEVERE,
        "Limit requests per client, and announce it (RateLimit, RateLimit-Policy).",
        examine_rate,
    ),
    Check("body size", SEVERE, "Refuse an announced length above the limit with 413, without waiting.", examine_body),
    Check("content type", MEDIUM, "Refuse types other than those declared with 415.", examine_type),
    Check("JSON depth", MEDIUM, "Bound the depth of JSON.", examine_depth),
    Check("URL length", MINOR, "Refuse long URLs with 414.", examine_url),
    Check("header size", MEDIUM, "Refuse large headers with 431.", examine_header_bytes),
    Check("header count", MINOR, "Refuse many headers with 431.", examine_header_count),
)
