"""Whatever an operator does leaves a line of the category security and a change, with who has done it."""

import re
from typing import Any

import msgspec
import pytest

from gatepost import events
from gatepost.logging.event_lines import LINES
from gatepost.records.change_events import change_of

ACTS: list[type[Any]] = [
    kind
    for kind in vars(events).values()
    if isinstance(kind, type)
    and issubclass(kind, msgspec.Struct)
    and "operator" in {field.name for field in msgspec.structs.fields(kind)}
]
"""Every event that an operator has caused."""


def test_the_acts_of_operators_are_found() -> None:
    assert {
        "AlertDismissed", "AlertSilenced", "AlertsTested", "ErrorGroupResolved", "LimitsReset", "LogLevelChanged",
        "OperatorActed", "SessionStopped",
    } <= {kind.__name__ for kind in ACTS}  # fmt: skip


@pytest.mark.parametrize("kind", ACTS, ids=lambda kind: kind.__name__)
def test_each_is_a_security_line_and_a_change(kind: type[Any]) -> None:
    values = {field.name: _value(field.type) for field in msgspec.structs.fields(kind)}
    event = kind(**{**values, "operator": "uid 4711"})
    assert LINES[kind].is_security
    found = change_of(event)
    assert found is not None
    assert found.operator == "uid 4711"
    assert "uid 4711" in found.summary, "the database has the sentence alone"


def _value(of: Any) -> Any:
    return 1 if of in {int, float} else True if of is bool else "some"


def test_every_event_of_an_operator_says_so() -> None:
    """An act whose event names nobody would pass the tests above."""
    said = re.compile(r"\boperators? (has|have|had|says|wants|changed)\b", re.IGNORECASE)
    silent = [
        kind.__name__
        for kind in vars(events).values()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and said.search(kind.__doc__ or "")
    ]
    assert {kind.__name__ for kind in ACTS} >= set(silent)
