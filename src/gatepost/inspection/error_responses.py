"""Refusals: whether a client can read them, and whether a user's complaint can be found in the log."""

import msgspec

from gatepost.inspection.checks import MINOR, Check, Verdict, failed, verdict
from gatepost.inspection.raw_client import Reply
from gatepost.inspection.visit import Visit

IDS = ("x-request-id", "request-id", "x-correlation-id", "traceparent", "x-trace-id", "cf-ray", "x-amzn-requestid")


async def examine_missing(visit: Visit) -> Verdict:
    """A path that does not exist."""
    if visit.missing.status != 404:
        return failed(f"a path that cannot exist gets {visit.missing}")
    return _form(visit.missing)


async def examine_malformed(visit: Visit) -> Verdict:
    """A body that is not JSON."""
    reply = await visit.post("application/json", b'{"a": NaN, ]')
    return _form(reply) if reply.is_refusal else failed(f"a body that is not JSON gets {reply}")


async def examine_id(visit: Visit) -> Verdict:
    """An id by which the log can be searched."""
    found = [name for name in IDS if visit.missing.header(name)]
    return verdict(bool(found), found[0] if found else "responses carry none")


def _form(reply: Reply) -> Verdict:
    content_type = (reply.header("content-type") or "nothing").partition(";")[0]
    try:
        is_object = isinstance(msgspec.json.decode(reply.body), dict)
    except msgspec.DecodeError:
        is_object = False
    return verdict(is_object and "json" in content_type, f"{reply} with {content_type}")


CHECKS: tuple[Check, ...] = (
    Check("a 404", MINOR, "Respond with a JSON object, preferably problem details (RFC 9457).", examine_missing),
    Check("a malformed body", MINOR, "Refuse with 400 and a JSON object, as for a 404.", examine_malformed),
    Check("request id", MINOR, "Send an id with every response (X-Request-Id) and write it to the log.", examine_id),
)
