"""What each SQLSTATE that asyncpg knows becomes, so that no code is forgotten; and those that nobody knows."""

from typing import Any

import asyncpg
import pytest
from asyncpg import exceptions
from tests.unit.database.sqlstate_table import PAGE, error_of, in_page, response_of, table

from gatepost.database.failures import is_lost, is_referred_to, is_transient, problem_of
from gatepost.database.sqlstates import CLASSES, CODES, Meaning, meaning_of
from gatepost.error_codes import CODES as PROBLEMS
from gatepost.services.refused_values import MEANINGS

KNOWN = {
    str(item.sqlstate)
    for item in vars(exceptions).values()
    if isinstance(item, type) and issubclass(item, asyncpg.PostgresError) and getattr(item, "sqlstate", None)
}

EXPECTED = """
500 internal_error, or raised 422 refused_by_trigger:
    03000 09000 0A000 0F000 0F001 0L000 0LP01 0P000 0Z000 0Z002 10608 20000 21000 24000 27000 2B000 2BP01 2D000 2F000
    2F002 2F003 2F004 2F005 34000 38000 38001 38002 38003 38004 39000 39001 39004 39P01 39P02 39P03 3B000 3B001 3F000
    42000 42501 42601 42602 42611 42622 42701 42702 42703 42704 42710 42712 42723 42725 42803 42804 42809 42830 42846
    42883 428C9 42939 42P01 42P02 42P03 42P04 42P05 42P06 42P07 42P08 42P09 42P10 42P11 42P12 42P13 42P14 42P15 42P16
    42P17 42P18 42P19 42P20 42P21 42P22 55000 55006 55P02 55P04 P0002 P0003
500 internal_error, or raised 500 internal_error:
    0B000 22000 22001 22002 22003 22004 22005 22007 22008 22009 2200B 2200C 2200D 2200F 2200G 2200H 2200L 2200M 2200N
    2200S 2200T 22010 22011 22012 22013 22014 22015 22016 22018 22019 2201B 2201E 2201F 2201G 2201W 2201X 22021 22022
    22023 22024 22025 22026 22027 2202E 2202G 2202H 22030 22031 22032 22033 22034 22035 22036 22037 22038 22039 2203A
    2203B 2203C 2203D 2203E 2203F 2203G 22P01 22P02 22P03 22P04 22P05 22P06 25000 25001 25002 25003 25004 25005 25006
    25007 25008 25P01 25P02 26000 54000 54001 54011 54023 58000 58030 58P01 58P02 58P03 72000 F0000 F0001 HV000 HV001
    HV002 HV004 HV005 HV006 HV007 HV008 HV009 HV00A HV00B HV00C HV00D HV00J HV00K HV00L HV00M HV00N HV00P HV00Q HV00R
    HV010 HV014 HV021 HV024 HV090 HV091 P0000 P0004 XX000 XX001 XX002
    08000 08001 08003 08004 08006 08007 08P01 25P03 25P04 28000 28P01 3D000 53300 57000 57P01 57P02 57P03 57P04 57P05
409 violates_constraint, or raised 422 refused_by_trigger: 23000 23514 40002
409 violates_constraint, or raised 409 violates_constraint: 44000
500 never, or raised 422 refused_by_trigger: P0001
409 violates_constraint, or raised 422 refused_by_trigger (a key that is missing): 23503
409 still_referenced, or raised 409 still_referenced: 23001
409 already_exists, or raised 409 already_exists: 23505 23P01
422 invalid_body, or raised 422 invalid_body: 23502
503 transaction_conflict, or raised 503 transaction_conflict: 40000 40001 40003 40P01
503 database_full, or raised 503 database_full: 53000 53100 53400
503 database_out_of_memory, or raised 503 database_out_of_memory: 53200
504 database_timeout, or raised 504 database_timeout: 55P03 57014
"""


def expected() -> dict[str, tuple[str, str]]:
    """By code: the response where PostgreSQL found the error, and where RAISE chose its code."""
    found: dict[str, tuple[str, str]] = {}
    head = ("", "")
    for line in EXPECTED.strip().splitlines():
        before, colon, codes = line.rpartition(":")
        if colon:
            own, _, raised = before.partition(", or raised ")
            head = own, raised.partition(" (")[0]
        for code in codes.split():
            assert code not in found, f"{code} stands there twice"
            found[code] = head
    return {**found, "P0001": ("422 refused_by_trigger", "422 refused_by_trigger")}


def test_every_code_that_the_driver_knows_has_its_response_and_no_other_is_listed() -> None:
    shown = {code: (response_of(code), response_of(code, "exec_stmt_raise")) for code in KNOWN}

    assert shown == expected()


def test_a_session_that_has_ended_is_an_outage_or_a_timeout_and_no_other_code_is() -> None:
    lost = {code for code in KNOWN if is_lost(error_of(code, "ProcessInterrupts", "FATAL"))}

    assert {response_of(code, "x", "FATAL") for code in lost - {"25P04"}} == {"503 database_unavailable"}
    assert response_of("25P04", "x", "FATAL") == "504 database_timeout"
    assert lost == {code for code in KNOWN if meaning_of(code) in (Meaning.LOST, Meaning.EXPIRED)}
    assert not any(is_lost(error_of(code, "exec_stmt_raise")) for code in KNOWN)


def test_every_class_that_the_driver_knows_is_listed() -> None:
    assert {code[:2] for code in KNOWN} <= CLASSES.keys()
    assert all(CODES[code] is not CLASSES[code[:2]] for code in CODES), "an exception is one"


@pytest.mark.parametrize(
    ("code", "response"),
    [
        ("GP001", "422 refused_by_trigger"),
        ("ZZZZZ", "422 refused_by_trigger"),
        ("P0ABC", "422 refused_by_trigger"),
        ("23ABC", "422 refused_by_trigger"),
        ("22ABC", "500 internal_error"),
        ("XX123", "500 internal_error"),
        ("40ABC", "503 transaction_conflict"),
        ("53ABC", "503 database_full"),
        ("57ABC", "500 internal_error"),
    ],
)
def test_a_code_that_nobody_knows_is_judged_by_its_class(code: str, response: str) -> None:
    assert response_of(code, "exec_stmt_raise") == response


def test_a_made_up_code_that_no_raise_chose_is_a_mistake_of_an_extension() -> None:
    assert response_of("TS170", "ts_function") == "500 internal_error"


def test_the_values_that_fields_are_named_for_are_those_of_the_table() -> None:
    assert MEANINGS.keys() == {code for code in KNOWN if meaning_of(code) is Meaning.VALUE}


def test_only_collisions_are_run_again() -> None:
    assert {code for code in KNOWN if is_transient(error_of(code, "x"))} == {"40000", "40001", "40003", "40P01"}


def test_every_response_has_a_code_of_the_documentation() -> None:
    assert {response.split()[1] for pair in expected().values() for response in pair} <= PROBLEMS.keys()


def raised_by(query: str) -> Any:
    """What RAISE of a function gives that this statement calls."""
    fields = {"C": "P0001", "M": "no", "S": "ERROR", "V": "ERROR", "R": "exec_stmt_raise"}
    return asyncpg.PostgresError.new(fields, query)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT /* books.list */ id FROM books WHERE is_mine(owner)",
        "WITH /* books.list */ page AS (SELECT 1) SELECT is_mine(1)",
        "SELECT 1",
    ],
)
def test_a_function_that_raises_while_rows_are_read_refuses_no_write(query: str) -> None:
    assert problem_of(raised_by(query), lambda broken: None) is None


@pytest.mark.parametrize(
    "query",
    [
        "INSERT /* books.create */ INTO books VALUES (1)",
        "WITH /* books.delete */ gone AS (DELETE FROM books) SELECT 1",
        "UPDATE books SET id = 1",
        "COMMIT",
        "CALL transfer(1)",
        "SELECT transfer(1)",
    ],
)
def test_a_function_that_raises_in_a_write_refuses_it(query: str) -> None:
    problem: Any = problem_of(raised_by(query), lambda broken: None)

    assert (problem.status, problem.code) == (422, "refused_by_trigger")
    assert problem.detail == "A trigger of the database refuses this."


def test_the_message_of_a_trigger_is_shown_where_that_is_asked_for_and_not_without_end() -> None:
    error = raised_by("COMMIT")
    error.args = ("no" * 10_000,)

    problem: Any = problem_of(error, lambda broken: None, shows_messages=True)

    assert problem.detail == "no" * 500


@pytest.mark.parametrize(
    ("message", "query", "is_parent"),
    [
        ('update or delete on table "a" violates', "DELETE FROM a", True),
        ('insert or update on table "b" violates', "INSERT INTO b VALUES (1)", False),
        ("Aktualisieren oder Löschen in Tabelle", "DELETE FROM a", True),
        ("Aktualisieren oder Löschen in Tabelle", "UPDATE a SET id = 2", True),
        ("Einfügen oder Aktualisieren in Tabelle", "INSERT INTO b VALUES (1)", False),
        ("Einfügen oder Aktualisieren in Tabelle", 'UPDATE "b" SET a_id = 2', False),
    ],
)
def test_both_sides_of_a_foreign_key_are_told_apart_in_every_language(
    message: str, query: str, is_parent: bool
) -> None:
    fields = {"C": "23503", "M": message, "S": "ERROR", "V": "ERROR", "t": "b", "n": "b_a_id_fkey"}

    assert is_referred_to(asyncpg.PostgresError.new(fields, query)) is is_parent


def test_the_table_in_the_docs_is_the_one_of_the_code() -> None:
    assert in_page(PAGE.read_text()) == table()
