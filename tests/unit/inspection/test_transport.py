"""The checks of TLS, against a server with a certificate made for the test."""

import contextlib
import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gatepost.inspection import transport
from gatepost.inspection.checks import Verdict
from gatepost.inspection.examination import verdict_of
from gatepost.inspection.raw_client import RawClient
from gatepost.inspection.target import Target
from gatepost.inspection.transport import examine_certificate, examine_scheme, lenient_context
from gatepost.inspection.visit import Visit


def make_certificate(folder: Path, *, days: int, host: str) -> Path:
    """A certificate with its key in one file, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=days, hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = serialization.NoEncryption()
    path = folder / "certificate.pem"
    encoding = serialization.Encoding.PEM
    path.write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, form) + certificate.public_bytes(encoding)
    )
    return path


@contextmanager
def serving(certificate: Path) -> Iterator[Visit]:
    """A server that shakes hands with this certificate, by TLS 1.2 and newer, and hangs up."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve() -> None:
        while True:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                if is_over.is_set():
                    return
                context.wrap_socket(connection, server_side=True).close()

    is_over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        try:
            yield Visit(RawClient(Target("https", "localhost", port, "/"), lenient_context()), patience_seconds=1)
        finally:
            is_over.set()
            socket.create_connection(("127.0.0.1", port)).close()
            thread.join()


@pytest.mark.parametrize(
    ("days", "host", "is_trusted", "outcome", "detail"),
    [
        (90, "localhost", True, "ok", "valid for 90 more days"),
        (3, "localhost", True, "fail", "valid for 3 more days"),
        (90, "localhost", False, "fail", "self-signed"),
        (90, "shop.example", True, "fail", "Hostname mismatch"),
        (-1, "localhost", True, "fail", "expired"),
    ],
)
async def test_a_certificate_is_trusted_for_its_host_and_for_some_time(
    days: int,
    host: str,
    is_trusted: bool,
    outcome: str,
    detail: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    certificate = make_certificate(tmp_path, days=days, host=host)
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving(certificate) as visit:
        found = await examine_certificate(visit)
        assert (await verdict_of(transport.CHECKS[2], visit)).outcome in ("ok", "skip")
        assert await examine_scheme(visit) == Verdict("ok", "https")
    assert (found.outcome, detail in found.detail) == (outcome, True), found


@pytest.mark.parametrize(("host", "outcome"), [("127.0.0.1", "skip"), ("shop.example", "fail")])
async def test_plain_http_is_for_this_machine_only(host: str, outcome: str) -> None:
    visit = Visit(RawClient(Target("http", host, 80, "/")), patience_seconds=1)
    found = {check.name: (await verdict_of(check, visit)).outcome for check in transport.CHECKS}
    assert found == {"encryption": outcome, "certificate": "skip", "TLS versions": "skip"}
