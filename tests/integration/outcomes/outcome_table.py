"""The table of moments in docs/reference/errors.md: made of the responses sent and the rows written.

`python tests/integration/outcomes` writes it; a test compares it.
"""

from pathlib import Path

from failure_moments import MOMENTS, WAYS, Moment
from fault_injection import FaultInjector, Outcome

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "errors.md"

BEGIN, END = "<!-- moments -->\n", "<!-- /moments -->\n"

HEAD = """| when | `GET` | `POST` | `POST` through a service | is it written? | may it be repeated? |
| --- | --- | --- | --- | --- | --- |
"""


async def table_of(injector: FaultInjector) -> str:
    """The whole table."""
    return HEAD + "".join([await row_of(injector, each) for each in MOMENTS])


async def row_of(injector: FaultInjector, each: Moment) -> str:
    """One moment, in each way in which it can happen."""
    cells: list[str] = []
    outcomes: list[Outcome] = []
    for way, resource in WAYS.items():
        if way in each.ways:
            found = await each.provoke(injector, way.partition(" ")[0], resource)
            cells.append(", ".join(sorted({shown(outcome) for outcome in found})))
            outcomes += found if way != "get" else []
        else:
            cells.append("")
    return f"| {each.sentence} | {' | '.join(cells)} | {written(outcomes)} | {repeatable(outcomes)} |\n"


def shown(outcome: Outcome) -> str:
    """The status, the code of a refusal, and whether it says when to come back."""
    code = f" `{outcome.code}`" if outcome.code != "ok" else ""
    again = ", `Retry-After`" if "retry-after" in outcome.response.headers else ""
    return f"{outcome.response.status}{code}{again}"


def written(outcomes: list[Outcome]) -> str:
    """What was found in the table after the writes."""
    return {(True,): "yes", (False,): "no", (False, True): "perhaps"}[
        tuple(sorted({outcome.is_written for outcome in outcomes}))
    ]


def repeatable(outcomes: list[Outcome]) -> str:
    """Whether to send the same again can do harm, or good."""
    if any(outcome.is_written for outcome in outcomes):
        return "only after a look" if any(outcome.code != "ok" for outcome in outcomes) else "it is done"
    helps = any("retry-after" in outcome.response.headers or outcome.response.status == 504 for outcome in outcomes)
    return "yes" if helps else "yes, but it fails again"


def in_page(page: str) -> str:
    """The table as it stands in the page."""
    return page.partition(BEGIN)[2].partition(END)[0]


def with_table(page: str, table: str) -> str:
    """The page with another table."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + table + END + rest.partition(END)[2]
