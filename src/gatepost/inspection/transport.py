"""The way to the server: TLS, its versions, and its certificate."""

import ssl
import time
import warnings

from gatepost.inspection.checks import MEDIUM, SEVERE, Check, Verdict, failed, ok, verdict
from gatepost.inspection.raw_client import RawClient
from gatepost.inspection.visit import Skipped, Visit

DAYS_MIN = 14
DAY_SECONDS = 86_400


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
        raise Skipped("plain HTTP on this machine; examine the public URL too")
    return failed("plain HTTP: anyone on the network path can read and change what is sent")


async def examine_certificate(visit: Visit) -> Verdict:
    """Whether the certificate is trusted, for this host, and for some time to come."""
    try:
        certificate = await _handshake(visit, ssl.create_default_context())
    except ssl.SSLCertVerificationError as error:
        return failed(error.verify_message)
    until = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    days = int((until - time.time()) / DAY_SECONDS)
    return verdict(days >= DAYS_MIN, f"valid for {days} more days")


async def examine_versions(visit: Visit) -> Verdict:
    """Whether versions older than TLS 1.2 are still spoken."""
    context = lenient_context()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
    except (ValueError, ssl.SSLError):
        raise Skipped("this machine's OpenSSL does not support versions this old") from None
    try:
        await _handshake(visit, context)
    except (OSError, TimeoutError):
        return ok("nothing older than TLS 1.2")
    return failed("TLS 1.1 or older is accepted")


async def _handshake(visit: Visit, context: ssl.SSLContext) -> dict[str, object]:
    if not visit.target.is_tls:
        raise Skipped("plain HTTP")
    _, writer = await RawClient(visit.target, context).connect()
    certificate: dict[str, object] = writer.get_extra_info("peercert") or {}
    writer.transport.abort()
    return certificate


CHECKS: tuple[Check, ...] = (
    Check("encryption", SEVERE, "Put TLS in front of it.", examine_scheme),
    Check("certificate", SEVERE, "Renew it, for this host, from an authority that is trusted.", examine_certificate),
    Check("TLS versions", MEDIUM, "Turn off everything older than TLS 1.2.", examine_versions),
)
