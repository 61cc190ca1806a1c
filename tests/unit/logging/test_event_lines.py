"""Every event that has a line can be logged: its fields have names that `logging` leaves free."""

import logging

import msgspec
import pytest

from gatepost.logging.event_lines import LINES

TAKEN = {*vars(logging.makeLogRecord({})), "message", "asctime", "source", "category", "repeated"}
"""What `logging` has in each record, and what each line has."""


@pytest.mark.parametrize("event", LINES, ids=lambda event: event.__name__)
def test_no_field_of_an_event_has_a_name_that_is_taken(event: type[msgspec.Struct]) -> None:
    assert not TAKEN & set(event.__struct_fields__)
