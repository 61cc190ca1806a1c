"""`gatepost monitoring export`: the objectives of an app in the files that Prometheus and Alertmanager read."""

from pathlib import Path
from urllib.parse import urlsplit

from gatepost.alerting.alertmanager import alertmanager_configuration
from gatepost.alerting.channels import channels_of
from gatepost.alerting.prometheus_rules import PrometheusRules
from gatepost.cli.settings import quiet_settings
from gatepost.errors import ConfigurationError
from gatepost.logging.console import print_success
from gatepost.server.loading import find_app, reference_of

RULES, TESTS, ALERTMANAGER = "gatepost-rules.yml", "gatepost-rules-test.yml", "alertmanager.yml"


def export_monitoring(folder: Path, job: str, webhook: str | None, reference: str | None) -> None:
    """Write the three files. Raises ConfigurationError."""
    settings = quiet_settings()
    channels_of(settings)
    if webhook is not None and (urlsplit(webhook).scheme not in {"http", "https"} or not urlsplit(webhook).hostname):
        raise ConfigurationError(f"{webhook!r} is not a URL.", location="--webhook", hint="Write https://host/path.")
    if not job.strip() or not job.isprintable():
        raise ConfigurationError(f"{job!r} is not a name of a job.", location="--job")
    scale = settings.alerts.time_scale
    rules = PrometheusRules(find_app(reference_of(reference)).objectives, job, scale)
    files = {
        RULES: rules.rules(),
        TESTS: rules.tests(RULES),
        ALERTMANAGER: alertmanager_configuration(settings.alerts, webhook, scale),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"{folder} cannot be written: {error.strerror}.", location="--folder", hint="Name another folder."
        ) from None
    print_success(f"Wrote {', '.join(files)} to {folder}.")
    print_success(f"Check them: cd {folder} && promtool test rules {TESTS} && amtool check-config {ALERTMANAGER}")
