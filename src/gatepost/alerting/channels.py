"""The ways by which alerts leave an instance, as the settings say."""

from typing import Protocol

from gatepost.alerting.mail import URL_FORM, MailSender, checked_address, smtp_server
from gatepost.alerting.messages import AlertMessage
from gatepost.alerting.webhook import WebhookSender, check_webhook_url, is_open_webhook, webhook_key
from gatepost.errors import ConfigurationError
from gatepost.settings import AlertSettings, Settings


class Channel(Protocol):
    """Sends messages. `name` is mail or webhook."""

    @property
    def name(self) -> str:
        """What it is called in lists."""
        ...

    async def send(self, id: str, message: AlertMessage) -> str:
        """Send one, within a time of its own. Returns what the receiver said. Raises Undelivered."""
        ...


def channels_of(settings: Settings) -> list[Channel]:
    """Those that are set. Raises ConfigurationError for what is half set, or cannot be read."""
    found: list[Channel] = []
    given = settings.alerts
    if mail := _mail(given):
        found.append(mail)
    if given.webhook_url is not None:
        check_webhook_url(given.webhook_url)
        key = None if given.webhook_secret is None else webhook_key(given.webhook_secret)
        found.append(WebhookSender(given.webhook_url, key))
    elif given.webhook_secret is not None:
        raise ConfigurationError(
            "signs nothing.", location="GATEPOST_ALERT_WEBHOOK_SECRET", hint="Set GATEPOST_ALERT_WEBHOOK_URL as well."
        )
    if found and not settings.admin.metrics:
        raise ConfigurationError(
            "switches off the monitor, which sends alerts.",
            location="GATEPOST_METRICS=false",
            hint="Leave it out, or the settings of alerts.",
        )
    return found


def unsafe_alert_settings(settings: Settings) -> list[str]:
    """What must not be in production, in sentences."""
    found: list[str] = []
    given = settings.alerts
    if given.smtp_url is not None and smtp_server(given.smtp_url).shows_password:
        found.append("GATEPOST_SMTP_URL sends a password without TLS: leave out ?tls=none.")
    if given.webhook_url is not None:
        check_webhook_url(given.webhook_url)
        if is_open_webhook(given.webhook_url):
            found.append("GATEPOST_ALERT_WEBHOOK_URL sends alerts without TLS: write https://.")
        elif given.webhook_secret is None:
            found.append(
                "GATEPOST_ALERT_WEBHOOK_SECRET is not set, so nobody can tell who sends: make one with "
                'echo "whsec_$(openssl rand -base64 32)".'
            )
    return found


def _mail(given: AlertSettings) -> MailSender | None:
    if not given.mail_to and given.smtp_url is None and given.mail_from is None:
        return None
    if not given.mail_to:
        raise ConfigurationError("is not set.", location="GATEPOST_ALERT_MAIL_TO", hint="Say who gets the alerts.")
    if given.smtp_url is None:
        raise ConfigurationError("is not set.", location="GATEPOST_SMTP_URL", hint=f"Write {URL_FORM}.")
    recipients = tuple(checked_address("GATEPOST_ALERT_MAIL_TO", each) for each in given.mail_to)
    sender = checked_address("GATEPOST_ALERT_MAIL_FROM", given.mail_from or recipients[0])
    return MailSender(smtp_server(given.smtp_url), sender, recipients)
