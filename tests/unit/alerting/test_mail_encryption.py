"""Passwords go to a mail server through TLS alone, and only to the one that its certificate says."""

import datetime
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.ports import free_port
from tests.receivers import Received

from gatepost.alerting.mail import MailSender, SMTPServer
from gatepost.alerting.messages import message_of_test
from gatepost.alerting.undelivered import Undelivered

MESSAGE = message_of_test("web-1", "uid 0")
USER, PASSWORD = "shop", "a p@ssword: of the shop"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the certificate of `localhost`, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


def authenticated(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    """Whether the user and password are right."""
    is_right = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=is_right, handled=False)


@pytest.fixture
def received() -> Received:
    return Received()


def serving(received: Received, certificate: Path | None) -> Controller:
    """A mail server on a free port, with STARTTLS where it has a certificate."""
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    controller = Controller(
        received,
        hostname="localhost",
        port=free_port(),
        tls_context=context,
        require_starttls=context is not None,
        authenticator=authenticated,
        auth_require_tls=context is not None,
        auth_required=context is not None,
    )
    controller.start()
    return controller


@pytest.fixture
def port(received: Received, certificate: Path) -> Iterator[int]:
    controller = serving(received, certificate)
    yield controller.port
    controller.stop()


def sender(port: int, password: str = PASSWORD) -> MailSender:
    server = SMTPServer("localhost", port, USER, password, is_tls=False, start_tls=True)
    return MailSender(server, "shop@shop.example", ("ops@shop.example",))


async def test_a_mail_goes_through_tls(
    port: int, received: Received, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    await sender(port).send("msg_1", MESSAGE)
    assert received.subjects == ["[test] alerts of web-1"]


async def test_a_wrong_password_is_said_without_it(
    port: int, received: Received, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with pytest.raises(Undelivered) as failure:
        await sender(port, "hidden and wrong").send("msg_1", MESSAGE)
    assert "it refuses the user and password (535)" in str(failure.value)
    assert "hidden" not in str(failure.value)
    assert received.mails == []


async def test_nobody_is_trusted_whose_certificate_is_not(port: int, received: Received) -> None:
    with pytest.raises(Undelivered, match=r"(?i)certificate"):
        await sender(port).send("msg_1", MESSAGE)
    assert received.mails == []


async def test_a_server_without_tls_gets_no_password(received: Received) -> None:
    controller = serving(received, None)
    try:
        with pytest.raises(Undelivered, match="STARTTLS"):
            await sender(controller.port).send("msg_1", MESSAGE)
    finally:
        controller.stop()
    assert received.mails == []
