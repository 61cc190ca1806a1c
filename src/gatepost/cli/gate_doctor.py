"""`gatepost doctor --gate URL`: the report of an examination, for people or as JSON."""

import asyncio
import sys

from gatepost.cli.output import finding_line, print_json
from gatepost.inspection.checks import Finding, Outcome
from gatepost.inspection.examination import Report, examine
from gatepost.logging.console import GREEN, RED

MARKS: dict[Outcome, str] = {"ok": "ok  ", "fail": "FAIL", "skip": "--  ", "limited": "429 "}


def examine_gate(
    url: str, *, post_path: str | None, origin: str | None, patience_seconds: float, as_json: bool
) -> bool:
    """Examine the server at `url` and print what was found; True if nothing has to be fixed."""
    report = asyncio.run(examine(url, post_path=post_path, origin=origin, patience_seconds=patience_seconds))
    if as_json:
        print_json(report)
    else:
        sys.stdout.write("\n".join(_lines(report)) + "\n")
    return report.is_well


def _lines(report: Report) -> list[str]:
    lines: list[str] = []
    for subject, findings in report.subjects.items():
        lines += [subject, *(_line(finding) for finding in findings), ""]
    found = [finding for findings in report.subjects.values() for finding in findings]
    counts = {outcome: sum(finding.outcome == outcome for finding in found) for outcome in MARKS}
    lines.append(
        f"Grade {report.grade}, {report.percent} %: {counts['ok']} good, {counts['fail']} to fix, "
        f"{counts['skip'] + counts['limited']} not looked at."
    )
    if not report.is_complete:
        lines.append("The server's rate limit refused some requests: run it again later for a full report.")
    return lines


def _line(finding: Finding) -> str:
    colour = {"ok": GREEN, "fail": RED}.get(finding.outcome)
    line = finding_line(MARKS[finding.outcome], colour, f"{finding.check}: {finding.detail}", finding.hint)
    return f"  {line}"
