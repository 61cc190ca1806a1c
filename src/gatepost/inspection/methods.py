"""Methods: those that are not needed are off, and HEAD and 405 carry what they have to."""

from gatepost.inspection.checks import MEDIUM, MINOR, SEVERE, Check, Verdict, failed, nothing_of, ok, verdict
from gatepost.inspection.visit import Visit

REFUSING = (400, 404, 405, 501)
COMPARED = ("content-security-policy", "content-type", "etag", "x-content-type-options")


async def examine_trace(visit: Visit) -> Verdict:
    """TRACE gives a script back the headers that it must not see."""
    reply = await visit.client.ask("TRACE")
    return verdict(reply.status in REFUSING or reply.is_refusal, f"TRACE gets {reply}")


async def examine_unknown(visit: Visit) -> Verdict:
    """An unknown method."""
    reply = visit.odd
    if reply.status == 405 and reply.header("allow") is None:
        return failed("405 without Allow")
    return verdict(reply.status in REFUSING, f"BREW gets {reply}")


async def examine_head(visit: Visit) -> Verdict:
    """HEAD is GET without the body, or is refused."""
    head, page = visit.head, visit.page
    if head.status in (405, 501):
        return ok(f"HEAD gets {head}")
    if head.status != page.status:
        return failed(f"HEAD gets {head}, GET {page}")
    other = [f"HEAD and GET differ in {name}" for name in COMPARED if head.header(name) != page.header(name)]
    return nothing_of(other, "HEAD says what GET says")


CHECKS: tuple[Check, ...] = (
    Check("TRACE", SEVERE, "Refuse TRACE with 405 or 501.", examine_trace),
    Check("unknown methods", MEDIUM, "Refuse with 501, or with 405 and `Allow` (RFC 9110).", examine_unknown),
    Check("HEAD", MINOR, "Respond to HEAD as to GET, without the body.", examine_head),
)
