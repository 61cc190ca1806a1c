"""The tables of codes in docs/reference/errors.md: made from what the source says of each code.

`python tests/unit/error_tables.py` writes them; a test compares them.
"""

from collections.abc import Callable
from pathlib import Path

from gatepost.error_codes import CODES
from gatepost.field_codes import FIELD_CODES, PARAMS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "errors.md"


def problems() -> str:
    """The codes of problems."""
    return _table(
        ["code", "status", "class", "meaning", "when", "what to do"],
        [
            [f"`{code}`", str(item.problem.status), f"`{item.problem.__name__}`", item.meaning, item.when, item.advice]
            for code, item in CODES.items()
        ],
    )


def fields() -> str:
    """The codes of single fields."""
    return _table(
        ["code", "meaning", "what to do", "`params`"],
        [[f"`{code}`", item.meaning, item.advice, _sets(item.params)] for code, item in FIELD_CODES.items()],
    )


def params() -> str:
    """What the names in `params` are."""
    return _table(["name", "value"], [[f"`{name}`", meaning] for name, meaning in sorted(PARAMS.items())])


def _sets(sets: tuple[tuple[str, ...], ...]) -> str:
    shown = [" and ".join(f"`{name}`" for name in names) or "none" for names in sets]
    return "" if shown == ["none"] else ", or ".join(shown)


def _table(head: list[str], rows: list[list[str]]) -> str:
    return "".join(f"| {' | '.join(cells)} |\n" for cells in [head, ["---"] * len(head), *rows])


TABLES: dict[str, Callable[[], str]] = {"problems": problems, "fields": fields, "params": params}
"""By the name of its markers in the page."""


def in_page(name: str, page: str) -> str:
    """The table as it stands in the page."""
    return page.partition(f"<!-- {name} -->\n")[2].partition(f"<!-- /{name} -->\n")[0]


if __name__ == "__main__":
    text = PAGE.read_text()
    for marker, made in TABLES.items():
        before, begin, rest = text.partition(f"<!-- {marker} -->\n")
        _, end, after = rest.partition(f"<!-- /{marker} -->\n")
        text = before + begin + made() + end + after
    PAGE.write_text(text)
