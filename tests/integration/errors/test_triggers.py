"""Triggers that refuse, suppress or break a write: the same response by derived verbs and through a service."""

from typing import Any

import pytest
from errors_app import Deed, Site, Thing, app, failures, raised, refused, suppressed

from gatepost import Changes, Conflict, Unprocessable
from gatepost.testing import TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

METHODS = ("POST", "PATCH", "DELETE")
RESOURCES = ("things", "deeds", "checked", "ruled")
SECRET = "the words of the trigger"


async def every(site: Site, body: str) -> list[tuple[str, str, int, str]]:
    """The responses to each method on each resource with this trigger; nothing is written."""
    found: list[tuple[str, str, int, str]] = []
    for resource in RESOURCES:
        for method in METHODS:
            await site.clear(resource)
            await site.trigger(resource, body)
            response = await site.write(method, resource, text="second")
            assert SECRET not in response.body.decode()
            found.append((method, resource, response.status, response.json()["code"]))
            rows = await site.witness.fetch(f"SELECT text, number FROM {resource}")
            assert [tuple(row) for row in rows] == [("first", 1)], (method, resource)
    return found


REFUSING = [
    f"RAISE EXCEPTION '{SECRET} %', t",
    f"RAISE EXCEPTION '{SECRET}' USING ERRCODE = 'GP001'",
    f"RAISE EXCEPTION '{SECRET}' USING ERRCODE = '99999'",
    f"RAISE insufficient_privilege USING MESSAGE = '{SECRET}'",
    f"RAISE no_data_found USING MESSAGE = '{SECRET}'",
    f"RAISE feature_not_supported USING MESSAGE = '{SECRET}', HINT = '{SECRET}', DETAIL = '{SECRET}'",
    f"RAISE EXCEPTION '{SECRET}' USING ERRCODE = 'check_violation'",
    f"RAISE EXCEPTION '{SECRET}' USING ERRCODE = '23514', COLUMN = 'number'",
    f"BEGIN RAISE EXCEPTION '{SECRET}'; EXCEPTION WHEN OTHERS THEN RAISE; END",
]


@pytest.mark.parametrize("body", REFUSING)
async def test_a_trigger_that_raises_refuses(site: Site, body: str) -> None:
    for method, resource, status, code in await every(site, body):
        assert (status, code) == (422, "refused_by_trigger"), (method, resource)
    assert not failures
    assert SECRET in raised[0].reason
    assert raised[0].table == "ruled"


BROKEN = [
    "ASSERT false",
    "SELECT 1 INTO STRICT n WHERE false",
    "SELECT i INTO STRICT n FROM generate_series(1, 2) i",
    "CASE WHEN false THEN n := 1; END CASE",
    "n := 1 / 0",
    "n := unknown_function(1)",
    "PERFORM * FROM unknown_table",
    "n := (SELECT i FROM generate_series(1, 2) i)",
    "PERFORM (SELECT nextval('unknown_sequence'))",
    "EXECUTE 'SELEC'",
    "PERFORM array_fill(0, ARRAY[-1])",
    "PERFORM ln(0)",
    "PERFORM sqrt(-1)",
    "PERFORM regexp_match('a', '[')",
    "PERFORM set_config('work_mem', 'none', true)",
    "PERFORM pg_read_file('/no/such/file')",
    "COMMIT",
    "PERFORM substring('a' FROM 1 FOR -1)",
    "PERFORM width_bucket(1, 1, 1, 1)",
    "PERFORM xmlparse(DOCUMENT 'a')",
]


@pytest.mark.parametrize("body", BROKEN)
async def test_a_broken_trigger_is_a_mistake_whose_words_are_in_the_log(site: Site, body: str) -> None:
    for method, resource, status, code in await every(site, body):
        assert (status, code) == (500, "internal_error"), (method, resource)
    assert len(failures) == 1
    assert str(failures[0])


async def test_endless_recursion_is_a_mistake_and_the_connection_goes_on(site: Site) -> None:
    await site.witness.execute(
        "CREATE OR REPLACE FUNCTION deep(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN deep(n + 1); END $$"
    )
    for _, _, status, code in await every(site, "n := deep(1)"):
        assert (status, code) == (500, "internal_error")
    await site.witness.execute("DROP FUNCTION act CASCADE")
    assert (await site.write("PATCH", "things", text="third")).status == 200


VALUES = [
    ("t := 'x'; NEW.number := t::integer", "22P02"),
    ("NEW.number := 2147483648::bigint", "22003"),
    ("PERFORM '2026-13-45'::date", "22008"),
    ("PERFORM 'nonsense'::date", "22007"),
    ("PERFORM 'abcdef'::varchar(3); NEW.text := (SELECT repeat('x', 10))::char(3); PERFORM chr(0)", "54000"),
    ("PERFORM '\\\\u0000'::text, '{\"a\": \"\\u0000\"}'::jsonb", "22P05"),
    ("PERFORM convert_from('\\xff'::bytea, 'UTF8')", "22021"),
]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize(("body", "state"), VALUES, ids=[state for _, state in VALUES])
async def test_a_value_that_a_trigger_cannot_convert_is_named_by_derived_verbs_alone(
    site: Site, method: str, body: str, state: str
) -> None:
    for resource in ("things", "checked", "deeds"):
        await site.clear(resource)
        await site.trigger(resource, body)
        response = await site.write(method, resource, text="second", number=2)
        if resource != "deeds" and state != "54000":
            assert (response.status, response.json()["code"]) == (422, "invalid_body")
            assert refused[0].reason.startswith(state)
        else:
            assert (response.status, response.json()["code"]) == (500, "internal_error")
            assert len(failures) == 1


MEANT = [
    ("unique_violation", 409, "already_exists"),
    ("exclusion_violation", 409, "already_exists"),
    ("restrict_violation", 409, "still_referenced"),
    ("serialization_failure", 503, "transaction_conflict"),
    ("lock_not_available", 504, "database_timeout"),
    ("disk_full", 503, "database_full"),
    ("with_check_option_violation", 409, "violates_constraint"),
]


@pytest.mark.parametrize(("condition", "status", "code"), MEANT)
async def test_a_code_with_a_meaning_of_its_own_keeps_it(site: Site, condition: str, status: int, code: str) -> None:
    for found in await every(site, f"RAISE EXCEPTION '{SECRET}' USING ERRCODE = '{condition}'"):
        assert found[2:] == (status, code), found
    assert not failures


async def test_a_trigger_may_name_the_column(site: Site) -> None:
    for resource in RESOURCES:
        await site.clear(resource)
        await site.trigger(resource, "RAISE EXCEPTION 'no' USING COLUMN = 'number'")
        for method in ("POST", "PATCH"):
            errors = (await site.write(method, resource, text="second")).json()["errors"]
            assert [(error["pointer"], error["code"]) for error in errors] == [("/number", "refused_by_trigger")]


async def test_a_trigger_may_name_a_declared_constraint(site: Site) -> None:
    await site.clear("bookings")
    named = "CONSTRAINT = 'bookings_price', TABLE = 'bookings'"
    await site.trigger("bookings", f"RAISE EXCEPTION 'no' USING ERRCODE = 'check_violation', {named}")
    response = await site.write("POST", "bookings", name="a")

    assert (response.status, response.json()["errors"][0]["pointer"]) == (422, "/price")
    await site.witness.execute("DROP FUNCTION act CASCADE")


async def test_the_message_is_shown_where_a_setting_says_so(site: Site, module_database_url: str) -> None:
    await site.clear("things")
    await site.trigger("things", "RAISE EXCEPTION 'The shop is closed.' USING DETAIL = 'hidden', HINT = 'hidden'")
    await app.stop()
    try:
        async with TestApp(app, module_database_url, GATEPOST_TRIGGER_MESSAGES="true") as running:
            response = await running.anonymous.post("/api/things", json={"text": "second"})
    finally:
        await TestApp(app, module_database_url).__aenter__()

    assert (response.status, response.json()["detail"]) == (422, "The shop is closed.")
    assert "hidden" not in response.body.decode()


@pytest.mark.filterwarnings("ignore:DELETE statement on table")
@pytest.mark.parametrize("instead", ["", "INSERT INTO rooms (name) VALUES ('kept');"])
async def test_a_trigger_that_returns_null_suppresses_the_write(site: Site, instead: str) -> None:
    for _, resource, status, code in await every(site, f"{instead} RETURN NULL"):
        assert (status, code) == (409, "suppressed_by_trigger")
        assert suppressed == [resource] or resource != "ruled"
    assert not failures


@pytest.mark.filterwarnings("ignore:DELETE statement on table")
@pytest.mark.parametrize("resource", RESOURCES)
async def test_what_a_trigger_did_instead_of_a_delete_is_undone(site: Site, resource: str) -> None:
    await site.clear(resource)
    await site.trigger(
        resource, f"UPDATE {resource} SET is_gone = true WHERE id = OLD.id; RETURN NULL", "BEFORE DELETE"
    )
    for _ in range(2):
        response = await site.write("DELETE", resource)
        assert (response.status, response.json()["code"]) == (409, "suppressed_by_trigger")
        assert (await site.client.get(f"/api/{resource}/1")).status == 200
    assert not failures


@pytest.mark.parametrize("resource", RESOURCES)
async def test_a_delete_of_what_is_not_there_or_hidden_is_404_whatever_the_trigger(site: Site, resource: str) -> None:
    await site.clear(resource)
    await site.trigger(resource, "RETURN NULL", "BEFORE DELETE")
    await site.witness.execute(f"UPDATE {resource} SET is_gone = true")

    assert (await site.write("DELETE", resource)).status == 404
    await site.witness.execute(f"TRUNCATE {resource}")
    assert (await site.write("DELETE", resource)).status == 404
    await site.witness.execute("DROP FUNCTION act CASCADE")


async def test_a_delete_still_deletes(site: Site) -> None:
    for resource in RESOURCES:
        await site.clear(resource)
        assert (await site.write("DELETE", resource)).status == 204
        assert await site.witness.fetchval(f"SELECT count(*) FROM {resource}") == 0


@pytest.mark.parametrize("resource", RESOURCES)
async def test_a_redundant_update_that_is_suppressed_is_no_refusal(site: Site, resource: str) -> None:
    await site.clear(resource)
    await site.witness.execute(
        f"CREATE TRIGGER redundant BEFORE UPDATE ON {resource} FOR EACH ROW "
        "EXECUTE FUNCTION suppress_redundant_updates_trigger()"
    )
    same = await site.write("PATCH", resource, text="first", number=1)
    other = await site.write("PATCH", resource, text="second")
    await site.witness.execute(f"DROP TRIGGER redundant ON {resource}")

    assert (same.status, same.data["text"]) == (200, "first")
    assert (other.status, other.data["text"]) == (200, "second")


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_policy_that_refuses_the_row_still_refuses_it_where_a_trigger_suppresses(
    site: Site, method: str
) -> None:
    await site.clear("ruled")
    await site.trigger("ruled", "RETURN NULL")
    response = await site.write(method, "ruled", text="x" * 2000)
    await site.witness.execute("DROP FUNCTION act CASCADE")

    assert response.status == 401


@pytest.mark.filterwarnings("ignore:DELETE statement on table")
@pytest.mark.parametrize("resource", RESOURCES)
async def test_a_view_whose_triggers_write_nothing_suppresses_as_well(site: Site, resource: str) -> None:
    await site.clear(resource)
    await site.witness.execute(
        f"ALTER TABLE {resource} RENAME TO kept; CREATE VIEW {resource} AS SELECT *, xmin FROM kept;"
        "CREATE OR REPLACE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;"
        f"CREATE TRIGGER act INSTEAD OF INSERT OR UPDATE OR DELETE ON {resource} "
        "FOR EACH ROW EXECUTE FUNCTION act()"
    )
    try:
        for method in METHODS:
            response = await site.write(method, resource, text="second")
            assert (response.status, response.json()["code"]) == (409, "suppressed_by_trigger"), method
    finally:
        await site.witness.execute(f"DROP VIEW {resource}; ALTER TABLE kept RENAME TO {resource}")


@pytest.mark.filterwarnings("ignore:DELETE statement on table")
@pytest.mark.parametrize("model", [Thing, Deed])
async def test_outside_of_a_request_each_verb_raises_where_the_trigger_does(site: Site, model: Any) -> None:
    table = model.__tablename__
    await site.clear(table)
    await site.trigger(table, "RAISE EXCEPTION 'no'")
    async with app.transaction() as tx:
        row = await tx.service(model).get(1, tx.actor)
        for verb in (
            lambda: tx.service(model).create(model(text="second"), tx.actor),
            lambda: tx.service(model).update(row, Changes({"text": "second"}), tx.actor),
            lambda: tx.service(model).delete(row, tx.actor),
        ):
            with pytest.raises(Unprocessable, match="refused_by_trigger"):
                async with tx.session.begin_nested():
                    await verb()
    await site.trigger(table, "RETURN NULL")
    for verb in ("create", "update", "delete"):
        with pytest.raises(Conflict, match="suppressed_by_trigger"):
            await in_transaction(model, verb)
    await site.witness.execute("DROP FUNCTION act CASCADE")


async def in_transaction(model: Any, verb: str) -> None:
    """The verb outside of a request."""
    async with app.transaction() as tx:
        service = tx.service(model)
        row = await service.get(1, tx.actor)
        changed = Changes({"text": "second"})
        arguments = {"create": (model(text="second"),), "update": (row, changed), "delete": (row,)}
        await getattr(service, verb)(*arguments[verb], tx.actor)
