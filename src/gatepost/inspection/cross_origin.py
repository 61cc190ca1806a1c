"""Calls from other origins: whether one is allowed that should not be."""

from gatepost.inspection.checks import MEDIUM, SEVERE, Check, Verdict, failed, nothing_of, verdict
from gatepost.inspection.raw_client import Reply
from gatepost.inspection.visit import Skipped, Visit

EVIL = "https://evil.example"


def tricks(origin: str) -> dict[str, str]:
    """Origins that look like `origin` to one who compares carelessly, by what the carelessness is."""
    scheme, _, authority = origin.partition("://")
    host, _, port = authority.partition(":")
    other = "http" if scheme == "https" else "https"
    return {
        "a suffix": f"{scheme}://{authority}.evil.example",
        "a prefix": f"{scheme}://evil{authority}",
        "another scheme": f"{other}://{authority}",
        "another port": f"{scheme}://{host}:{int(port or 80) % 65535 + 1}",
        "user info": f"{scheme}://{authority}@evil.example",
        "another case": f"{scheme}://{authority.upper()}",
        "a dot at the end": f"{scheme}://{host}.{':' + port if port else ''}",
        "two origins": f"{origin} {EVIL}",
    }


def lets_in(reply: Reply, origin: str) -> bool:
    """Whether a page of this origin may read the response, and with more than an anonymous page gets."""
    allowed = reply.header("access-control-allow-origin")
    credentials = reply.header("access-control-allow-credentials") == "true"
    return allowed == origin or (allowed == "*" and credentials)


async def examine_strangers(visit: Visit) -> Verdict:
    """Unknown origins, and `null`, which any sandboxed frame can be."""
    replies = {origin: await _ask_from(visit, origin) for origin in (EVIL, "null")}
    is_public = replies[EVIL].header("access-control-allow-origin") == "*"
    return nothing_of(
        [f"{origin} may read the responses" for origin, reply in replies.items() if lets_in(reply, origin)],
        "every page may read, without credentials" if is_public else "unknown origins and null are refused",
    )


async def examine_tricks(visit: Visit) -> Verdict:
    """Origins that look like one that is allowed, or like the server's own."""
    like = visit.origin or f"{visit.target.scheme}://{visit.target.authority}"
    let_in = [
        f"{what} is let in ({origin})"
        for what, origin in tricks(like).items()
        if lets_in(await _ask_from(visit, origin), origin)
    ]
    return nothing_of(let_in, f"nothing that looks like {like} is let in")


async def examine_preflight(visit: Visit) -> Verdict:
    """A preflight of an unknown origin, which also asks for the private network."""
    asked = (f"origin: {EVIL}", "access-control-request-method: DELETE", "access-control-request-private-network: true")
    reply = await visit.client.ask("OPTIONS", None, *asked)
    if reply.header("access-control-allow-private-network") is not None:
        return failed("pages of the internet may reach into the private network")
    return verdict(not lets_in(reply, EVIL), f"{reply}, {'permission' if lets_in(reply, EVIL) else 'no permission'}")


async def examine_allowed(visit: Visit) -> Verdict:
    """The origin that should be allowed is, and caches are told that the response depends on it."""
    if visit.origin is None:
        raise Skipped("name an origin that is allowed: --origin https://shop.example")
    reply = await _ask_from(visit, visit.origin)
    if not lets_in(reply, visit.origin):
        return failed(f"{visit.origin} is not let in")
    varies = all("origin" in (each.header("vary") or "").lower() for each in (reply, visit.page))
    return verdict(varies, "let in" if varies else "`Vary: Origin` is missing: a cache would mix up the responses")


async def _ask_from(visit: Visit, origin: str) -> Reply:
    return await visit.client.ask("GET", None, f"origin: {origin}")


CHECKS: tuple[Check, ...] = (
    Check("strange origins", SEVERE, "Allow a list of known origins; never echo the one that asks.", examine_strangers),
    Check("look-alike origins", SEVERE, "Compare origins as a whole, byte for byte.", examine_tricks),
    Check("preflights of strangers", SEVERE, "Grant nothing to preflights of unknown origins.", examine_preflight),
    Check("the allowed origin", MEDIUM, "Allow it exactly; send `Vary: Origin` on every response.", examine_allowed),
)
