"""The page of the reference that lists every metric: `python -m gatepost.metrics.reference`."""

import sys

from gatepost.metrics.buckets import EXPOSED
from gatepost.metrics.families import FAMILIES, OWN_PREFIX, Family

_HEAD = f"""# Metrics

What `/metrics` of the [admin listener](../how-to/watch-a-server.md) shows, in Prometheus' text format or OpenMetrics.
Made by `python -m gatepost.metrics.reference`.

Counters are those of all processes of a server, also of those that have ended: they never fall, and begin anew when the
server does. Gauges of a process have the label `pid`. Names that begin with `{OWN_PREFIX}` are the application's
[own](../how-to/watch-a-server.md#count-what-your-code-does). Buckets of histograms end at these seconds:
{", ".join(f"{edge:g}" for edge in EXPOSED)}.

| metric | kind | labels | what it is |
| --- | --- | --- | --- |
"""


def reference_page() -> str:
    """The page, as Markdown."""
    return _HEAD + "".join(_row(family) for family in FAMILIES)


def _row(family: Family) -> str:
    labels = ", ".join(f"`{label}`" for label in family.labels)
    return f"| `{family.name}` | {family.kind} | {labels} | {family.help} |\n"


if __name__ == "__main__":
    sys.stdout.write(reference_page())
