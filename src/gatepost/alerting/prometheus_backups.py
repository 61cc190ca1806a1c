"""The rules for Prometheus about backups, and promtool's tests of them."""

import json
from collections.abc import Iterator

from gatepost.alerting.backup_conditions import ARCHIVING_FOR_SECONDS, BACKUP_FOR_SECONDS, BACKUP_SECONDS_MAX
from gatepost.alerting.prometheus_rule import Rule
from gatepost.alerting.yaml_lines import duration, quoted
from gatepost.metrics import families

BACKUP_TOO_OLD, ARCHIVING_FAILS = "GatepostBackupTooOld", "GatepostArchivingFails"


def backup_rules(selector: str, scale: float) -> list[Rule]:
    """Of the series that this selector names; `scale` multiplies how old a backup may become."""
    seconds = BACKUP_SECONDS_MAX * scale

    def newest(family: families.Family) -> str:
        return f"max by (job) ({family.name}{{{selector}}})"

    too_old = (
        f"time() - {newest(families.BACKUP_FINISHED)} > {seconds:g}",
        f"{newest(families.BACKUPS)} == 0",
        f"{newest(families.BACKUP_WAL_MISSING)} > 0",
        f"{newest(families.BACKUP_STORE_READABLE)} == 0",
    )
    return [
        Rule(
            BACKUP_TOO_OLD,
            " or ".join(too_old),
            BACKUP_FOR_SECONDS,
            "ticket",
            f"The newest backup of {{{{ $labels.job }}}} is older than {duration(seconds)}, there is none, WAL after "
            "it is missing, or the store cannot be read.",
        ),
        Rule(
            ARCHIVING_FAILS,
            f"{newest(families.WAL_ARCHIVE_FAILING)} > 0",
            ARCHIVING_FOR_SECONDS,
            "page",
            "PostgreSQL of {{ $labels.job }} cannot archive its WAL, which fills its disk.",
        ),
    ]


def backup_tests(job: str, scale: float) -> Iterator[str]:
    """The tests: after half an hour the backup becomes too old, and archiving fails."""
    labels = f'{{job={json.dumps(job)}, instance="a"}}'
    minute = 60 * scale
    finished_at = 30 * minute - BACKUP_SECONDS_MAX * scale
    yield f"  - name: {quoted('a backup becomes too old, and archiving fails')}"
    yield f"    interval: {duration(minute)}"
    yield "    input_series:"
    for family, values in (
        (families.BACKUP_FINISHED, f"{finished_at:g}x60"),
        (families.WAL_ARCHIVE_FAILING, "0x29 1x30"),
    ):
        yield f"      - {{series: {quoted(family.name + labels)}, values: {quoted(values)}}}"
    yield "    alert_rule_test:"
    for rule in backup_rules("", scale):
        for seconds, fires in ((30 * minute, False), (45 * minute, True)):
            yield f"      - eval_time: {duration(seconds)}"
            yield f"        alertname: {rule.name}"
            if not fires:
                yield "        exp_alerts: []"
                continue
            summary = rule.summary.replace("{{ $labels.job }}", job)
            yield "        exp_alerts:"
            yield f"          - exp_labels: {{severity: {rule.severity}, job: {quoted(job)}}}"
            yield f"            exp_annotations: {{summary: {quoted(summary)}}}"
