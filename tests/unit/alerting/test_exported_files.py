"""What is written for Prometheus and Alertmanager: the same windows and rates, no secret, and text that YAML takes."""

import pytest

from gatepost.alerting.alertmanager import alertmanager_configuration
from gatepost.alerting.prometheus_rules import PrometheusRules, edge_of
from gatepost.alerting.yaml_lines import duration, quoted
from gatepost.declaring.objectives import MeasuredObjective
from gatepost.settings import AlertSettings

READS = MeasuredObjective("reads", 0.999, ("books.list", "v2.books.list"), 0.2)
ENDPOINTS = MeasuredObjective("endpoints", 0.5, ("work.done",), None)


def test_the_rules_have_the_windows_and_rates_of_the_monitor() -> None:
    rules = PrometheusRules([READS, ENDPOINTS], "shop").rules()
    for window in ("5m", "30m", "1h", "6h", "3d"):
        assert f"gatepost:objective_bad:ratio_rate{window}\n" in rules
    assert 'gatepost:objective_bad:increase1h{objective=\\"reads\\"} >= 20' in rules
    assert 'ratio_rate1h{objective=\\"reads\\"} >= 0.0144 and' in rules
    assert 'ratio_rate1h{objective=\\"endpoints\\"} >= 0.999999999 and' in rules, "no share is above all"
    assert 'le=\\"0.25\\"' in rules
    assert "books[.]list|v2[.]books[.]list" in rules
    assert rules.count("- alert: GatepostObjectiveMissed") == 2
    assert "rules: []" in PrometheusRules([], "shop").rules()


def test_each_objective_has_tests() -> None:
    tests = PrometheusRules([READS, ENDPOINTS], "shop").tests("rules.yml")
    named = [line for line in tests.splitlines() if "- name:" in line]
    assert [line.split('"')[1] for line in named] == [
        "reads: what fails", "reads: what is well", "reads: what is slow", "endpoints: what fails",
        "endpoints: what is well", "the database is away, and comes back",
        "a backup becomes too old, and archiving fails",
    ]  # fmt: skip


@pytest.mark.parametrize(("seconds", "edge"), [(0.2, 0.25), (0.25, 0.25), (10, 10), (11, float("inf"))])
def test_how_fast_is_rounded_up_to_an_edge(seconds: float, edge: float) -> None:
    assert edge_of(seconds) == edge


def test_no_secret_is_written() -> None:
    settings = AlertSettings(
        mail_to=("ops@shop.example", "b@c.de"),
        smtp_url="smtp://user:hidden@mail.example",
        webhook_url="https://hooks.example/hidden",
    )
    written = alertmanager_configuration(settings, "https://alerts.example/x")
    assert "hidden" not in written
    assert 'to: "ops@shop.example, b@c.de"' in written
    assert 'auth_username: "user"' in written
    assert "auth_password_file: " in written
    assert "require_tls: true" in written
    assert 'url: "https://alerts.example/x"' in written
    nobody = alertmanager_configuration(AlertSettings(), None)
    assert nobody.endswith("  - name: gatepost\n")


def test_durations_and_strings() -> None:
    assert [duration(seconds) for seconds in (259_200, 3600, 300, 36, 0.6, 0)] == [
        "3d",
        "1h",
        "5m",
        "36s",
        "600ms",
        "0s",
    ]
    assert quoted('a "b"\n\u00e9') == '"a \\"b\\"\\n\u00e9"'
