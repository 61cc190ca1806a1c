"""Messages arrive at a real mail server and a real receiver of webhooks, however these behave; none is
forgotten."""

import asyncio
import base64
import hashlib
import hmac
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.receivers import Received, receiving

from gatepost import ConfigurationError
from gatepost.alerting import deliveries as deliveries_module
from gatepost.alerting import mail as mail_module
from gatepost.alerting import webhook as webhook_module
from gatepost.alerting.alert_state import AlertState, load_state, save_state
from gatepost.alerting.alerts import Alert
from gatepost.alerting.channels import Channel, channels_of, unsafe_alert_settings
from gatepost.alerting.deliveries import PENDING_MAX, Deliveries, Delivery
from gatepost.alerting.mail import MailSender, smtp_server
from gatepost.alerting.messages import AlertMessage, message_of, subject_of
from gatepost.alerting.undelivered import Undelivered
from gatepost.alerting.webhook import WebhookSender, webhook_key
from gatepost.records.snapshots import Snapshot
from gatepost.settings import AdminSettings, AlertSettings, Settings
from gatepost.shared_files import shared_file

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
ALERT = Alert("a1b2c3d4", "objective:reads", "page", "firing", 1_800_000_000.0, "40 of 100 requests failed.", "look")


@pytest.fixture
def received() -> Iterator[Received]:
    with receiving() as found:
        yield found


@pytest.fixture
def mail_port(received: Received) -> int:
    return received.mail_port


@pytest.fixture
def hook_url(received: Received) -> str:
    return received.hook_url


@pytest.fixture
def hanging() -> Iterator[int]:
    """The port of a server that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def mail_sender(port: int) -> MailSender:
    return MailSender(
        smtp_server(f"smtp://127.0.0.1:{port}"), "Shop <shop@shop.example>", ("ops@shop.example", "b@c.de")
    )


async def test_a_mail_says_what_is_wrong_and_where_to_look(mail_port: int, received: Received) -> None:
    said = await mail_sender(mail_port).send("msg_1", message_of(ALERT, "web-1", "4f2a", "Each instance sends this."))
    (mail,) = received.mails
    assert "queued as 7" in said
    assert mail["subject"] == "[page] objective:reads at web-1"
    assert (mail["from"], mail["to"]) == ("Shop <shop@shop.example>", "ops@shop.example, b@c.de")
    assert (mail["message-id"], mail["auto-submitted"]) == ("<msg_1@shop.example>", "auto-generated")
    text = mail.get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert text.startswith("40 of 100 requests failed.\r\n")
    for words in (
        "web-1, release 4f2a",
        "2027-01-15T08:00:00.000Z",
        "gatepost alerts silence a1b2c3d4",
        "Each instance",
    ):
        assert words in text


@pytest.mark.parametrize(
    "name", ["error:a\nBcc: everybody@evil.example", "error:a\r\n\r\nhi", "error:\x00\u2028\ud800é", "x" * 5000]
)
async def test_no_text_of_an_alert_silences_it(mail_port: int, received: Received, name: str) -> None:
    alert = Alert("1", name, "ticket", "firing", 1.0, "It says \ud800 and\n.\n more.", "x")
    await mail_sender(mail_port).send("msg_1", message_of(alert, "web-1", None))
    (mail,) = received.mails
    assert mail["bcc"] is None
    assert str(mail["subject"]).startswith("[ticket] ") or "=?utf-8?" in str(mail["subject"])
    assert "\n" not in subject_of(name)
    assert "more." in mail.get_payload(decode=True).decode()  # type: ignore[union-attr]


async def test_a_mail_that_is_not_taken_is_not_delivered(mail_port: int, received: Received) -> None:
    received.refuse = "452 no room"
    with pytest.raises(Undelivered, match=r"127.0.0.1:\d+: .*no room"):
        await mail_sender(mail_port).send("msg_1", message_of(ALERT, "web-1", None))
    with pytest.raises(Undelivered, match=r"127\.0\.0\.1:1: "):
        await mail_sender(1).send("msg_1", message_of(ALERT, "web-1", None))


async def test_a_post_is_signed_as_receivers_check_it(hook_url: str, received: Received) -> None:
    said = await WebhookSender(hook_url, webhook_key(SECRET)).send("msg_1", message_of(ALERT, "web-1", "4f2a"))
    ((headers, body),) = received.posts
    found = json.loads(body)
    assert said == "status 204"
    assert (found["type"], found["data"]["name"], found["data"]["release"]) == (
        "alert.firing",
        "objective:reads",
        "4f2a",
    )
    assert headers["content-type"] == "application/json"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(bytes(range(32)), signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    await WebhookSender(hook_url, None).send("msg_2", message_of(ALERT, "web-1", None))
    assert "webhook-signature" not in received.posts[1][0]


@pytest.mark.parametrize("status", ["302", "400", "500"])
async def test_a_post_that_is_not_taken_is_not_delivered(hook_url: str, received: Received, status: str) -> None:
    received.refuse = status
    with pytest.raises(Undelivered, match=f"127.0.0.1 responds with {status}"):
        await WebhookSender(hook_url, None).send("msg_1", message_of(ALERT, "web-1", None))
    assert len(received.posts) == 1
    with pytest.raises(Undelivered, match=r"127\.0\.0\.1: .*refused"):
        await WebhookSender("http://127.0.0.1:1/", None).send("msg_1", message_of(ALERT, "web-1", None))


async def test_who_hangs_is_given_up(hanging: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_module, "SECONDS_MAX", 0.2)
    monkeypatch.setattr(webhook_module, "SECONDS_MAX", 0.2)
    began = time.monotonic()
    for channel in (mail_sender(hanging), WebhookSender(f"http://127.0.0.1:{hanging}/", None)):
        with pytest.raises(Undelivered, match=r"does not answer in time|timed out"):
            await channel.send("msg_1", message_of(ALERT, "web-1", None))
    assert time.monotonic() - began < 5


class Spool:
    """Deliveries over channels, and what was told of those that fail."""

    def __init__(self, *channels: Channel, saved: list[Delivery] | None = None) -> None:
        self.failures: list[Delivery] = []
        self.deliveries = Deliveries(list(channels), saved or [], changed=lambda: None, failed=self.failures.append)

    async def run_until(self, is_done: Any) -> None:
        tasks = [asyncio.ensure_future(self.deliveries.run(channel)) for channel in self.deliveries.channels]
        async with asyncio.timeout(20):
            while not is_done():  # noqa: ASYNC110 - what is waited for is in another thread
                await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_whatever_a_receiver_says_can_be_kept_and_shown() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"554 no\xff\x00\x1b[2J\r\nHTTP/1.1 500\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    file = Snapshot(shared_file("alerts", 65_536), 65_536)
    async with server:
        spool = Spool(mail_sender(port), WebhookSender(f"http://127.0.0.1:{port}/", None))
        spool.deliveries.add("1", "disk", message_of(ALERT, "web-1", None))
        await spool.run_until(lambda: all(each.outcome for each in spool.deliveries.newest_first()))
    assert all(each.outcome.isprintable() for each in spool.deliveries.newest_first())
    save_state(file, AlertState(deliveries=spool.deliveries.newest_first()))
    assert len(load_state(file).deliveries) == 2


async def test_a_channel_that_hangs_keeps_no_other_waiting(hanging: int, hook_url: str, received: Received) -> None:
    spool = Spool(mail_sender(hanging), WebhookSender(hook_url, None))
    for number in range(3):
        spool.deliveries.add(str(number), "disk", message_of(ALERT, "web-1", None))
    await spool.run_until(lambda: len(received.posts) == 3)
    states = [(each.channel, each.state) for each in spool.deliveries.newest_first()]
    assert states.count(("webhook", "delivered")) == 3 or len(received.posts) == 3
    assert states.count(("mail", "pending")) == 3


async def test_what_does_not_arrive_is_sent_again_with_the_same_id(
    hook_url: str, received: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries_module, "FIRST_PAUSE_SECONDS", 0.05)
    received.refuse = "503"
    spool = Spool(WebhookSender(hook_url, None))
    (delivery,) = spool.deliveries.add("1", "disk", message_of(ALERT, "web-1", None))

    def recovered() -> bool:
        if len(received.posts) == 3:
            received.refuse = ""
        return delivery.state == "delivered"

    await spool.run_until(recovered)
    assert delivery.attempts == len(received.posts) >= 4
    assert {headers["webhook-id"] for headers, _ in received.posts} == {delivery.id}
    assert [each.outcome for each in spool.failures] == ["status 204"]
    assert len(spool.failures) == 1, "told once, not at each attempt"
    assert spool.deliveries.uncopied() == [delivery]


async def test_nobody_hears_that_it_is_over_before_that_it_fires(
    hook_url: str, received: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries_module, "FIRST_PAUSE_SECONDS", 0.05)
    received.refuse = "503"
    spool = Spool(WebhookSender(hook_url, None))
    (first,) = spool.deliveries.add("1", "disk", message_of(ALERT, "web-1", None))
    (last,) = spool.deliveries.add("1", "disk", message_of(ALERT, "web-1", None))
    (other,) = spool.deliveries.add("2", "disk", message_of(ALERT, "web-1", None))

    def recovered() -> bool:
        if first.attempts == 3:
            received.refuse = ""
        return last.state == other.state == "delivered"

    await spool.run_until(recovered)
    sent = [headers["webhook-id"] for headers, _ in received.posts]
    assert sent.index(last.id) > max(place for place, id in enumerate(sent) if id == first.id)
    assert sent.index(other.id) < sent.index(last.id)


async def test_what_waits_is_sent_by_the_next_monitor(hook_url: str, received: Received) -> None:
    before = Spool(WebhookSender(hook_url, None))
    before.deliveries.add("1", "disk", message_of(ALERT, "web-1", None))
    saved = before.deliveries.newest_first()
    old = Delivery("msg_0", "pigeon", "0", "disk", message_of(ALERT, "web-1", None), 1.0)
    after = Spool(WebhookSender(hook_url, None), saved=[*saved, old])
    await after.run_until(lambda: after.deliveries.newest_first()[1].state == "delivered")
    assert len(received.posts) == 1
    assert (old.state, old.outcome) == ("failed", "there is no such channel any more")


async def test_the_list_is_bounded(hook_url: str) -> None:
    spool = Spool(WebhookSender(hook_url, None))
    for number in range(PENDING_MAX * 4):
        spool.deliveries.add(str(number), "disk", message_of(ALERT, "web-1", None))
    found = spool.deliveries.newest_first()
    assert len(found) <= 200
    assert [each.state for each in found].count("pending") == PENDING_MAX
    assert found[0].alert == str(PENDING_MAX * 4 - 1)


async def test_what_never_arrives_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries_module, "GIVE_UP_SECONDS", 0.0)
    spool = Spool(WebhookSender("http://127.0.0.1:1/", None))
    (delivery,) = spool.deliveries.add("1", "disk", message_of(ALERT, "web-1", None))
    await spool.run_until(lambda: delivery.state == "failed")
    assert spool.failures == [delivery]
    assert "refused" in delivery.outcome


def settings(**alerts: Any) -> Settings:
    return Settings(alerts=replace(AlertSettings(), **alerts))


MAIL = {"mail_to": ("ops@shop.example",), "smtp_url": "smtp://u:p%40ss@mail.example"}


def test_the_settings_make_the_channels() -> None:
    found = channels_of(settings(**MAIL, webhook_url="https://hooks.example/x", webhook_secret=SECRET))
    assert [channel.name for channel in found] == ["mail", "webhook"]
    assert channels_of(Settings()) == []
    server = smtp_server(MAIL["smtp_url"])  # type: ignore[arg-type]
    assert (server.host, server.port, server.user, server.password) == ("mail.example", 587, "u", "p@ss")
    assert (server.is_tls, server.start_tls) == (False, True)
    assert smtp_server("smtps://mail.example").port == 465
    assert not smtp_server("smtp://localhost:25").start_tls


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"mail_to": ("ops@shop.example",)}, "GATEPOST_SMTP_URL"),
        ({"smtp_url": "smtp://mail.example"}, "GATEPOST_ALERT_MAIL_TO"),
        ({**MAIL, "mail_to": ("nobody",)}, "'nobody' is not an e-mail address"),
        ({**MAIL, "mail_to": ("a@b.c\nBcc: d@e.f",)}, "is not an e-mail address"),
        ({**MAIL, "mail_from": "@"}, "GATEPOST_ALERT_MAIL_FROM"),
        ({**MAIL, "smtp_url": "mail.example:25"}, "GATEPOST_SMTP_URL: cannot be read"),
        ({**MAIL, "smtp_url": "smtp://hidden:hidden@mail.example:x"}, "cannot be read"),
        ({**MAIL, "smtp_url": "smtp://hidden@mail.example"}, "cannot be read"),
        ({**MAIL, "smtp_url": "smtp://mail.example?tls=maybe"}, "cannot be read"),
        ({"webhook_secret": SECRET}, "GATEPOST_ALERT_WEBHOOK_URL"),
        ({"webhook_url": "https://hidden:hidden@hooks.example"}, "GATEPOST_ALERT_WEBHOOK_URL: is not a URL"),
        ({"webhook_url": "ftp://hooks.example"}, "is not a URL"),
        ({"webhook_url": "https://hooks.example/a b"}, "is not a URL"),
        ({"webhook_url": "https://hooks.example", "webhook_secret": "hidden"}, "openssl rand"),
        ({"webhook_url": "https://hooks.example", "webhook_secret": "whsec_aGk="}, "24 to 64 bytes"),
    ],
)
def test_what_is_half_set_or_unreadable_is_refused_without_its_secrets(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        channels_of(settings(**given))
    assert words in str(refusal.value)
    assert "hidden" not in str(refusal.value)


def test_there_is_nobody_to_send_them_without_a_monitor() -> None:
    with pytest.raises(ConfigurationError, match="switches off the monitor"):
        channels_of(replace(settings(**MAIL), admin=replace(AdminSettings(), metrics=False)))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (MAIL, ""),
        ({**MAIL, "smtp_url": "smtps://u:p@mail.example"}, ""),
        ({**MAIL, "smtp_url": "smtp://u:p@localhost"}, ""),
        ({**MAIL, "smtp_url": "smtp://mail.example?tls=none"}, ""),
        ({**MAIL, "smtp_url": "smtp://u:p@mail.example?tls=none"}, "GATEPOST_SMTP_URL sends a password without TLS"),
        ({"webhook_url": "https://hooks.example", "webhook_secret": SECRET}, ""),
        ({"webhook_url": "http://[::1]:9/", "webhook_secret": SECRET}, ""),
        ({"webhook_url": "http://hooks.example", "webhook_secret": SECRET}, "GATEPOST_ALERT_WEBHOOK_URL sends alerts"),
        ({"webhook_url": "https://hooks.example"}, "GATEPOST_ALERT_WEBHOOK_SECRET is not set"),
    ],
)
def test_what_is_unsafe_in_production_is_named(given: dict[str, Any], words: str) -> None:
    found = unsafe_alert_settings(settings(**given))
    assert " ".join(found).startswith(words)
    assert bool(found) == bool(words)


def test_a_message_of_a_resolved_alert_says_by_whom() -> None:
    resolved = Alert("1", "disk", "page", "resolved", 1.0, "Full.", "df -h", resolved_at=61.0, by="uid 0")
    message: AlertMessage = message_of(resolved, "web-1", None)
    assert (message.type, message.subject) == ("alert.resolved", "[resolved] disk at web-1")
    assert "Resolved  1970-01-01T00:01:01.000Z, by uid 0" in message.text
    assert "silence" not in message.text
