"""The objectives and conditions of an application as rules for Prometheus: recording rules, alerts, promtool's tests.

https://prometheus.io/docs/prometheus/latest/configuration/recording_rules/. The windows and rates are those by which
the monitor judges; how fast is rounded up to an edge that Prometheus gets, of which there are fewer.
"""

import json
from collections.abc import Iterable, Iterator

from gatepost.alerting import conditions
from gatepost.alerting.burn_rates import BAD_MIN, RULES, BurnRule
from gatepost.alerting.prometheus_backups import backup_rules, backup_tests
from gatepost.alerting.prometheus_rule import Rule
from gatepost.alerting.yaml_lines import duration, quoted
from gatepost.declaring.objectives import MeasuredObjective
from gatepost.metrics import families
from gatepost.metrics.buckets import EXPOSED

REQUESTS = families.REQUEST_SECONDS.name
RATIO = "gatepost:objective_bad:ratio_rate"
COUNT = "gatepost:objective_bad:increase"

OBJECTIVE_MISSED, OBJECTIVE_BUDGET = "GatepostObjectiveMissed", "GatepostObjectiveBudget"
DATABASE_AWAY, WAS_AWAY, POOL_EXHAUSTED = "GatepostDatabaseAway", "GatepostDatabaseWasAway", "GatepostPoolExhausted"
NOBODY = "none"
"""The severity of what nobody is told of: it keeps other alerts from being told."""

AFTERMATH_SECONDS = max(rule.short_seconds for rule in RULES if rule.severity == "page")
"""So long after an outage objectives are missed because of it: Prometheus cannot tell its bad requests from others."""


class PrometheusRules:
    """The rules of an application whose instances are scraped by this job. `scale` multiplies all windows."""

    def __init__(self, objectives: Iterable[MeasuredObjective], job: str, scale: float = 1.0) -> None:
        self._objectives = list(objectives)
        self._job = f"job={json.dumps(job)}"
        self._scale = scale
        self.job = job

    def rules(self) -> str:
        """The file of rules."""
        lines = [
            "# Made by `gatepost monitoring export`.",
            "groups:",
            "  - name: gatepost-objectives",
            "    rules:",
        ]
        for objective in self._objectives:
            lines += self._recording(objective)
            lines += self._burning(objective)
        if not self._objectives:
            lines[-1] += " []"
        lines += ["  - name: gatepost", "    rules:"]
        for rule in self._conditions():
            lines += [
                f"      - alert: {rule.name}",
                f"        expr: {quoted(rule.expression)}",
                f"        for: {duration(rule.for_seconds * self._scale)}",
                f"        labels: {{severity: {rule.severity}}}",
                f"        annotations: {{summary: {quoted(rule.summary)}}}",
            ]
        return "\n".join(lines) + "\n"

    def tests(self, rules_file: str) -> str:
        """The tests of `rules`, which are in the file of this name: what fails fires, what is slow fires, what is well
        does not."""
        minute = duration(60 * self._scale)
        lines = [
            "# Made by `gatepost monitoring export`. Run `promtool test rules` with this file.",
            f"rule_files: [{quoted(rules_file)}]",
            f"evaluation_interval: {minute}",
            "tests:",
        ]
        for objective in self._objectives:
            lines += self._test(objective, "5xx", bucket=0, is_bad=True)
            lines += self._test(objective, "2xx", bucket=60, is_bad=False)
            if objective.faster_than is not None:
                lines += self._test(objective, "2xx", bucket=0, is_bad=True)
        lines += self._condition_tests()
        lines += backup_tests(self.job, self._scale)
        return "\n".join(lines) + "\n"

    def _recording(self, objective: MeasuredObjective) -> Iterator[str]:
        for seconds in sorted({each for rule in RULES for each in (rule.long_seconds, rule.short_seconds)}):
            window = duration(seconds * self._scale)
            total, good = self._total("rate", objective, window), self._good("rate", objective, window)
            # Without `or`, an objective all of whose requests fail would have no good ones, and so no value at all.
            yield from self._record(f"{RATIO}{window}", f"1 - ({good} or 0 * {total}) / {total}", objective)
        for seconds in sorted({rule.long_seconds for rule in RULES}):
            window = duration(seconds * self._scale)
            total, good = self._total("increase", objective, window), self._good("increase", objective, window)
            yield from self._record(f"{COUNT}{window}", f"{total} - ({good} or 0 * {total})", objective)

    @staticmethod
    def _record(name: str, expression: str, objective: MeasuredObjective) -> Iterator[str]:
        yield f"      - record: {name}"
        yield f"        expr: {quoted(expression)}"
        yield f"        labels: {{objective: {quoted(objective.name)}}}"

    def _burning(self, objective: MeasuredObjective) -> Iterator[str]:
        for severity, name in (("page", OBJECTIVE_MISSED), ("ticket", OBJECTIVE_BUDGET)):
            rules = [rule for rule in RULES if rule.severity == severity]
            yield f"      - alert: {name}"
            yield f"        expr: {quoted(' or '.join(self._burns(rule, objective) for rule in rules))}"
            yield f"        labels: {self._labels(severity, objective)}"
            yield f"        annotations: {{summary: {quoted(self._summary(objective))}}}"

    def _labels(self, severity: str, objective: MeasuredObjective) -> str:
        """With the job, by which Alertmanager finds the alerts that explain this one."""
        return f"{{severity: {severity}, objective: {quoted(objective.name)}, job: {quoted(self.job)}}}"

    def _burns(self, rule: BurnRule, objective: MeasuredObjective) -> str:
        label = f"{{objective={json.dumps(objective.name)}}}"
        long, short = duration(rule.long_seconds * self._scale), duration(rule.short_seconds * self._scale)
        bound = f"{min(rule.rate * (1 - objective.share), 1) * (1 - 1e-9):.9g}"
        bad = f"{RATIO}{long}{label} >= {bound} and {RATIO}{short}{label} >= {bound}"
        return f"({bad} and {COUNT}{long}{label} >= {BAD_MIN})"

    @staticmethod
    def _summary(objective: MeasuredObjective) -> str:
        slow = "" if objective.faster_than is None else f" or take longer than {edge_of(objective.faster_than):g} s"
        return (
            f"{{{{ $value | humanizePercentage }}}} of the requests of the objective {objective.name} fail{slow}; "
            f"{objective.share:.10g} have to succeed."
        )

    def _total(self, function: str, objective: MeasuredObjective, window: str) -> str:
        return f"sum({function}({REQUESTS}_count{{{self._job}, {_operations(objective)}}}[{window}]))"

    def _good(self, function: str, objective: MeasuredObjective, window: str) -> str:
        labels = f'{self._job}, {_operations(objective)}, class!="5xx"'
        if objective.faster_than is None:
            return f"sum({function}({REQUESTS}_count{{{labels}}}[{window}]))"
        edge = _edge_label(objective.faster_than)
        return f'sum({function}({REQUESTS}_bucket{{{labels}, le="{edge}"}}[{window}]))'

    def _conditions(self) -> Iterator[Rule]:
        job, by, scale = self._job, "by (job, instance)", self._scale
        yield Rule(
            DATABASE_AWAY,
            f"min {by} ({families.DATABASE_REACHABLE.name}{{{job}}}) == 0",
            conditions.DATABASE_SECONDS,
            "page",
            "A worker of {{ $labels.instance }} cannot reach the database.",
        )
        window = duration(AFTERMATH_SECONDS * scale)
        yield Rule(
            WAS_AWAY,
            f"min by (job) (min_over_time({families.DATABASE_REACHABLE.name}{{{job}}}[{window}])) == 0",
            0.0,
            NOBODY,
            f"The database was away in the last {window}: nobody is told, it explains missed objectives.",
        )
        yield Rule(
            POOL_EXHAUSTED,
            f"max {by} ({families.POOL_WAITING.name}{{{job}}}) > 0",
            conditions.POOL_SECONDS,
            "page",
            "{{ $value }} requests of {{ $labels.instance }} wait for a connection of the pool.",
        )
        yield Rule(
            "GatepostDiskNearlyFull",
            f"max {by} ({families.LOG_DISK_FREE.name}{{{job}}}) / max {by} ({families.LOG_DISK_SIZE.name}{{{job}}})"
            f" < {conditions.DISK_SHARE_MIN:g}",
            60.0,
            "page",
            "{{ $value | humanizePercentage }} of the disk of the log files of {{ $labels.instance }} is free.",
        )
        window = duration(60.0 * conditions.LOST_LINES_MINUTES * scale)
        yield Rule(
            "GatepostLogLinesLost",
            f"sum {by} (increase({families.LOG_LINES_LOST.name}{{{job}}}[{window}])) > 0",
            0.0,
            "ticket",
            "Lines of the log of {{ $labels.instance }} had no room.",
        )
        failed = f'{families.SIGN_INS.name}{{{job}, outcome="failed"}}'
        minute, day = duration(60.0 * scale), duration(86_400.0 * scale)
        yield Rule(
            "GatepostSignInsFail",
            f"sum(increase({failed}[{minute}])) >= {conditions.SIGN_INS_MIN} and "
            f"sum(rate({failed}[{minute}])) >= {conditions.SIGN_INS_FACTOR} * "
            f"(sum(rate({failed}[{day}] offset {minute})) or vector(0))",
            0.0,
            "page",
            "{{ $value }} sign-ins failed within a minute.",
        )
        yield Rule(
            "GatepostWorkersDie",
            f"sum {by} (increase({families.WORKER_DEATHS.name}{{{job}}}"
            f"[{duration(conditions.DEATHS_SECONDS * scale)}])) >= {conditions.DEATHS_MIN}",
            0.0,
            "page",
            "Workers of {{ $labels.instance }} die again and again.",
        )
        yield from backup_rules(self._job, scale)
        yield Rule(
            "GatepostInstanceSilent",
            f"up{{{job}}} == 0",
            conditions.SILENT_SECONDS,
            "page",
            "{{ $labels.instance }} cannot be scraped.",
        )

    def _test(self, objective: MeasuredObjective, kind: str, *, bucket: int, is_bad: bool) -> Iterator[str]:
        labels = f'{self._job}, instance="a", operation={json.dumps(objective.operations[0])}, class="{kind}"'
        word = "what is well" if not is_bad else "what fails" if kind == "5xx" else "what is slow"
        minute = 60.0 * self._scale
        yield f"  - name: {quoted(f'{objective.name}: {word}')}"
        yield f"    interval: {duration(minute)}"
        yield "    input_series:"
        series = {f"{REQUESTS}_count{{{labels}}}": 60}
        if objective.faster_than is not None:
            series[f'{REQUESTS}_bucket{{{labels}, le="{_edge_label(objective.faster_than)}"}}'] = bucket
        for name, step in series.items():
            yield f"      - {{series: {quoted(name)}, values: {quoted(f'0+{step}x120')}}}"
        yield "    alert_rule_test:"
        yield f"      - eval_time: {duration(60 * minute)}"
        yield f"        alertname: {OBJECTIVE_MISSED}"
        if not is_bad:
            yield "        exp_alerts: []"
            return
        summary = self._summary(objective).replace("{{ $value | humanizePercentage }}", "100%")
        yield "        exp_alerts:"
        yield f"          - exp_labels: {self._labels('page', objective)}"
        yield f"            exp_annotations: {{summary: {quoted(summary)}}}"

    def _condition_tests(self) -> Iterator[str]:
        minute = 60.0 * self._scale
        labels = f'{self._job}, instance="a"'
        yield f"  - name: {quoted('the database is away, and comes back')}"
        yield f"    interval: {duration(minute)}"
        yield "    input_series:"
        series = f'{families.DATABASE_REACHABLE.name}{{{labels}, pid="7"}}'
        yield f"      - {{series: {quoted(series)}, values: {quoted('1x2 0x5 1x5')}}}"
        yield f"      - {{series: {quoted(f'up{{{labels}}}')}, values: {quoted('1x20')}}}"
        yield "    alert_rule_test:"
        for minutes, fires in ((2, False), (6, True), (11, False)):
            yield f"      - eval_time: {duration(minutes * minute)}"
            yield f"        alertname: {DATABASE_AWAY}"
            if fires:
                yield "        exp_alerts:"
                yield f"          - exp_labels: {{severity: page, job: {quoted(self.job)}, instance: a}}"
                yield "            exp_annotations: {summary: A worker of a cannot reach the database.}"
            else:
                yield "        exp_alerts: []"
            yield f"      - eval_time: {duration(minutes * minute)}"
            yield f"        alertname: {WAS_AWAY}"
            # The first minutes are those before the outage.
            yield from self._was_away() if minutes > 2 else ["        exp_alerts: []"]

    def _was_away(self) -> list[str]:
        summary = next(rule.summary for rule in self._conditions() if rule.name == WAS_AWAY)
        return [
            "        exp_alerts:",
            f"          - exp_labels: {{severity: {NOBODY}, job: {quoted(self.job)}}}",
            f"            exp_annotations: {{summary: {quoted(summary)}}}",
        ]


def edge_of(seconds: float) -> float:
    """The next edge that Prometheus gets; infinite above the last."""
    return next((edge for edge in EXPOSED if edge >= seconds), float("inf"))


def _edge_label(seconds: float) -> str:
    edge = edge_of(seconds)
    return "+Inf" if edge == float("inf") else f"{edge:g}"


def _operations(objective: MeasuredObjective) -> str:
    # Operations are names with dots; a dot in a regular expression would match others as well.
    names = "|".join(name.replace(".", "[.]") for name in objective.operations)
    return f"operation=~{json.dumps(names)}"
