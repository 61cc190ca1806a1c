"""The way to the server: TLS, its versions, and its certificate."""

import asyncio
import ssl
import time
import warnings

from gatepost.inspection.checks import MEDIUM, SEVERE, Check, Verdict, failed, ok, skipped, verdict
from gatepost.inspection.target import Target
from gatepost.inspection.visit import Visit

DAYS_MIN = 14
DAY_SECONDS = 86_400
PLAIN = "plain HTTP"


def lenient_context() -> ssl.SSLContext:
    """A context that speaks to every server: what is wrong with its certificate is found by a check."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def examine_scheme(visit: Visit) -> Verdict:
    """Whether it is TLS at all."""
    if visit.target.is_tls:
        return ok("https")
    if visit.target.is_local:
        return skipped("plain HTTP on this machine; examine the public URL too")
    return failed("plain HTTP: anyone on the network path can read and change what is sent")


async def examine_certificate(visit: Visit) -> Verdict:
    """Whether the certificate is trusted, for this host, and for some time to come."""
    if not visit.target.is_tls:
        return skipped(PLAIN)
    try:
        certificate = await _handshake(visit.target, ssl.create_default_context())
    except ssl.SSLCertVerificationError as error:
        return failed(error.verify_message)
    until = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    days = int((until - time.time()) / DAY_SECONDS)
    return verdict(days >= DAYS_MIN, f"valid for {days} more days")


async def examine_versions(visit: Visit) -> Verdict:
    """Whether versions older than TLS 1.2 are still spoken."""
    if not visit.target.is_tls:
        return skipped(PLAIN)
    context = lenient_context()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
    except (ValueError, ssl.SSLError):
        return skipped("this machine's OpenSSL does not support versions this old")
    try:
        await _handshake(visit.target, context)
    except (OSError, TimeoutError):
        return ok("nothing older than TLS 1.2")
    return failed("TLS 1.1 or older is accepted")


async def _handshake(target: Target, context: ssl.SSLContext) -> dict[str, object]:
    opening = asyncio.open_connection(target.host, target.port, ssl=context, server_hostname=target.host)
    _, writer = await asyncio.wait_for(opening, 10)
    certificate: dict[str, object] = writer.get_extra_info("peercert") or {}
    writer.transport.abort()
    return certificate


CHECKS: tuple[Check, ...] = (
    Check("encryption", SEVERE, "Put TLS in front of it.", examine_scheme),
    Check(
        "certificate",
        SEVERE,
        "Renew the certificate, for this host, from an authority that is trusted.",
        examine_certificate,
    ),
    Check("TLS versions", MEDIUM, "Turn off everything older than TLS 1.2.", examine_versions),
)
