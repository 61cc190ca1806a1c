"""Alertmanager's configuration: who hears of the alerts of `prometheus_rules.py`, as the settings say.

https://prometheus.io/docs/alerting/latest/configuration/. Secrets are not written: the file names another one
that has the password.
"""

from collections.abc import Iterator, Sequence

from gatepost.alerting.mail import SMTPServer, smtp_server
from gatepost.alerting.prometheus_rules import (
    DATABASE_AWAY,
    NOBODY,
    OBJECTIVE_BUDGET,
    OBJECTIVE_MISSED,
    POOL_EXHAUSTED,
    WAS_AWAY,
)
from gatepost.alerting.yaml_lines import duration, quoted
from gatepost.settings import AlertSettings

PASSWORD_FILE = "/etc/prometheus/gatepost-smtp-password"  # noqa: S105 - where it is, not what it is


def alertmanager_configuration(settings: AlertSettings, webhook_url: str | None, scale: float = 1.0) -> str:
    """The file. `webhook_url` gets what Alertmanager posts, which has a form of its own; `scale` multiplies the waiting
    times."""
    has_mail = bool(settings.mail_to) and settings.smtp_url is not None
    lines = [
        "# Made by `gatepost monitoring export`.",
        "route:",
        "  receiver: gatepost",
        "  group_by: [alertname, job, objective]",
        f"  group_wait: {duration(10 * scale)}",
        f"  group_interval: {duration(60 * scale)}",
        f"  repeat_interval: {duration(86_400 * scale)}",
        "  routes:",
        f"    - {{receiver: nobody, matchers: ['severity=\"{NOBODY}\"']}}",
        f"    - {{receiver: gatepost, matchers: ['severity=\"page\"'], repeat_interval: {duration(3600 * scale)}}}",
        "inhibit_rules:",
        *_inhibited([DATABASE_AWAY, WAS_AWAY, POOL_EXHAUSTED], [OBJECTIVE_MISSED, OBJECTIVE_BUDGET], "job"),
        *_inhibited([DATABASE_AWAY], [POOL_EXHAUSTED], "job, instance"),
        *_inhibited([OBJECTIVE_MISSED], [OBJECTIVE_BUDGET], "job, objective"),
        "receivers:",
        "  - name: nobody",
        "  - name: gatepost",
    ]
    if has_mail and settings.smtp_url is not None:
        lines += _mail(settings, smtp_server(settings.smtp_url))
    if webhook_url is not None:
        lines += ["    webhook_configs:", f"      - {{url: {quoted(webhook_url)}, send_resolved: true}}"]
    return "\n".join(lines) + "\n"


def _inhibited(sources: Sequence[str], targets: Sequence[str], equal: str) -> Iterator[str]:
    """While one of the first fires, none of the others is told: it follows from that."""
    yield f"  - source_matchers: ['alertname=~\"{'|'.join(sources)}\"']"
    yield f"    target_matchers: ['alertname=~\"{'|'.join(targets)}\"']"
    yield f"    equal: [{equal}]"


def _mail(settings: AlertSettings, server: SMTPServer) -> Iterator[str]:
    yield "    email_configs:"
    yield f"      - to: {quoted(', '.join(settings.mail_to))}"
    yield f"        from: {quoted(settings.mail_from or settings.mail_to[0])}"
    yield f"        smarthost: {quoted(f'{server.host}:{server.port}')}"
    yield f"        require_tls: {'true' if server.start_tls else 'false'}"
    if server.user is not None:
        yield f"        auth_username: {quoted(server.user)}"
        yield f"        auth_password_file: {quoted(PASSWORD_FILE)}"
    yield "        send_resolved: true"
