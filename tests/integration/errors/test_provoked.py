"""What clients, other transactions and operators provoke in PostgreSQL, by derived verbs and through a service."""

import asyncio
from typing import Any

import pytest
from errors_app import Booking, Site, app, failures, violated
from protocol_proxy import until

from gatepost import App, Resource, anyone
from gatepost.events import ValueMayBeTooLong
from gatepost.testing import ClientResponse, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOTH = pytest.mark.parametrize("resource", ["bookings", "stays"])


def shown(response: ClientResponse) -> tuple[int, str, list[str]]:
    """Status, code, and the fields that are named."""
    problem = response.json()
    return response.status, problem["code"], [error["pointer"] for error in problem["errors"]]


CONSTRAINTS: list[tuple[dict[str, Any], dict[str, Any], tuple[int, str, list[str]]]] = [
    ({"name": "a"}, {"name": "a"}, (409, "already_exists", ["/name"])),
    ({"number": 1}, {"number": 1}, (409, "already_exists", ["/number"])),
    ({"late": "a"}, {"late": "a"}, (409, "already_exists", ["/late"])),
    ({}, {"price": "13"}, (422, "invalid_body", ["/price"])),
    ({}, {"room_id": 9}, (422, "reference_not_found", ["/room_id"])),
]


@BOTH
@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize(("present", "body", "expected"), CONSTRAINTS, ids=str)
async def test_a_constraint_is_named_by_its_fields_also_where_commit_checks_it(
    site: Site, resource: str, method: str, present: Any, body: Any, expected: Any
) -> None:
    await site.clear(resource, "rooms")
    await site.clear(resource)
    if present:
        assert (await site.write("POST", resource, **present)).status == 201

    assert shown(await site.write(method, resource, **body)) == expected
    assert not failures
    assert not violated


@BOTH
async def test_a_row_that_others_refer_to_is_not_deleted(site: Site, resource: str) -> None:
    await site.clear("rooms")
    await site.clear(resource)
    assert (await site.write("PATCH", resource, room_id=1)).status == 200

    assert shown(await site.write("DELETE", "rooms")) == (409, "still_referenced", [])
    await site.clear(resource)


@BOTH
async def test_what_a_trigger_writes_elsewhere_breaks_the_constraint_of_that_table(site: Site, resource: str) -> None:
    await site.clear("rooms")
    await site.clear(resource)
    for body, status, code in (
        ("INSERT INTO rooms (id, name) OVERRIDING SYSTEM VALUE VALUES (1, 'again')", 409, "already_exists"),
        ("INSERT INTO rooms (name) VALUES (NULL)", 422, "invalid_body"),
        ("NEW.price := 13", 422, "invalid_body"),
    ):
        await site.trigger(resource, body, "BEFORE INSERT")
        assert shown(await site.write("POST", resource, name="new"))[:2] == (status, code), body
    await site.witness.execute("DROP FUNCTION act CASCADE")


@BOTH
async def test_the_check_of_a_domain_refuses(site: Site, resource: str) -> None:
    await site.clear(resource)
    await site.witness.execute(
        f"CREATE DOMAIN short AS text CHECK (length(VALUE) < 5); ALTER TABLE {resource} ALTER name TYPE short"
    )
    try:
        response = await site.write("POST", resource, name="too long")
    finally:
        await site.witness.execute(f"ALTER TABLE {resource} ALTER name TYPE varchar; DROP DOMAIN short")

    assert shown(response) == (409, "violates_constraint", [])
    assert violated[0].constraint == "short_check"
    assert violated[0].reason.startswith("23514 ")


@BOTH
async def test_a_deferred_trigger_refuses_by_commit(site: Site, resource: str) -> None:
    await site.clear(resource)
    await site.trigger(resource, "RAISE EXCEPTION 'late'", "AFTER INSERT DEFERRABLE INITIALLY DEFERRED")
    response = await site.write("POST", resource, name="new")

    assert shown(response)[:2] == (422, "refused_by_trigger")
    assert await site.witness.fetchval(f"SELECT count(*) FROM {resource}") == 1
    await site.witness.execute("DROP FUNCTION act CASCADE")


@BOTH
async def test_a_statement_that_takes_too_long_and_a_lock_that_is_held_are_timeouts(site: Site, resource: str) -> None:
    await site.clear(resource)
    await site.trigger(
        resource, "SET LOCAL statement_timeout = '50ms'; PERFORM set_config('lock_timeout', '50ms', true)"
    )
    await site.trigger(resource, "PERFORM pg_advisory_xact_lock(7)", "BEFORE INSERT")
    undo = await connections_with(site, "lock_timeout = '100ms'")
    try:
        async with site.witness.transaction():
            await site.witness.execute("SELECT pg_advisory_xact_lock(7)")
            response = await site.write("POST", resource, name="new")
    finally:
        await site.witness.execute(f"{undo}; DROP FUNCTION act CASCADE")
        app.running.database.pool.close_idle(lambda raw: True)

    assert shown(response)[:2] == (504, "database_timeout")
    assert not failures


async def connections_with(site: Site, setting: str) -> str:
    """The statement that undoes a setting of the database, which new connections have."""
    name = await site.witness.fetchval("SELECT quote_ident(current_database())")
    await site.witness.execute(f"ALTER DATABASE {name} SET {setting}")
    app.running.database.pool.close_idle(lambda raw: True)
    return f"ALTER DATABASE {name} RESET {setting.partition(' ')[0]}"


@BOTH
async def test_a_transaction_that_takes_too_long_is_a_timeout_unless_it_may_be_written(
    site: Site, resource: str
) -> None:
    await site.clear(resource)
    await site.trigger(resource, "PERFORM pg_sleep(5)", "BEFORE INSERT")
    undo = await connections_with(site, "transaction_timeout = '100ms'")
    try:
        response = await site.write("POST", resource, name="new")
    finally:
        await site.witness.execute(f"{undo}; DROP FUNCTION act CASCADE")
        app.running.database.pool.close_idle(lambda raw: True)

    expected = (503, "outcome_unknown") if resource == "bookings" else (504, "database_timeout")
    assert shown(response)[:2] == expected
    assert (await site.write("POST", resource, name="new")).status == 201


@BOTH
async def test_a_view_that_cannot_be_written_is_another_table(site: Site, resource: str) -> None:
    await site.clear(resource)
    await site.witness.execute(
        f"ALTER TABLE {resource} RENAME TO kept;CREATE VIEW {resource} AS SELECT DISTINCT *, '1'::xid AS xmin FROM kept"
    )
    try:
        response = await site.write("POST", resource, name="new")
    finally:
        await site.witness.execute(f"DROP VIEW {resource}; ALTER TABLE kept RENAME TO {resource}")

    assert shown(response)[:2] == (503, "schema_changed")


@BOTH
async def test_a_trigger_without_a_return_is_a_mistake(site: Site, resource: str) -> None:
    await site.clear(resource)
    await site.witness.execute(
        "CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; END $$;"
        f"CREATE TRIGGER act BEFORE INSERT ON {resource} FOR EACH ROW EXECUTE FUNCTION act()"
    )
    assert shown(await site.write("POST", resource, name="new"))[:2] == (500, "internal_error")
    await site.witness.execute("DROP FUNCTION act CASCADE")


@BOTH
async def test_a_row_that_is_too_wide_names_what_was_sent(site: Site, resource: str) -> None:
    await site.clear(resource)
    await site.witness.execute(f"ALTER TABLE {resource} ALTER late SET STORAGE PLAIN")
    try:
        response = await site.write("POST", resource, late="x" * 9000)
    finally:
        await site.witness.execute(f"ALTER TABLE {resource} ALTER late SET STORAGE EXTENDED")

    assert shown(response) == (422, "invalid_body", ["/late"])
    assert response.json()["errors"][0]["code"] == "too_long"


@BOTH
async def test_a_deadlock_is_a_collision_for_one_of_both(site: Site, resource: str) -> None:
    await site.clear(resource)
    await site.trigger(resource, "PERFORM pg_advisory_xact_lock(7)", "BEFORE UPDATE")
    async with site.witness.transaction():
        await site.witness.execute("SET LOCAL deadlock_timeout = '1h'; SELECT pg_advisory_xact_lock(7)")
        writing = asyncio.create_task(site.write("PATCH", resource, name="new"))
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"

        async def is_waiting() -> bool:
            return bool(await site.witness.fetchval(waits))

        await until(is_waiting)
        await site.witness.execute(f"UPDATE {resource} SET late = 'x' WHERE id = 1 AND pg_sleep(0) IS NOT NULL")
    response = await writing

    assert shown(response)[:2] == (503, "transaction_conflict")
    await site.witness.execute("DROP FUNCTION act CASCADE")


@pytest.mark.filterwarnings("ignore:DELETE statement on table")
@BOTH
async def test_a_row_that_row_level_security_keeps_from_a_delete_is_forbidden(site: Site, resource: str) -> None:
    await site.clear(resource)
    role = "clerk_" + await site.witness.fetchval("SELECT md5(current_database())")
    await site.witness.execute(
        f"CREATE ROLE {role}; GRANT ALL ON {resource} TO {role}; ALTER TABLE {resource} ENABLE ROW LEVEL SECURITY;"
        f"CREATE POLICY seen ON {resource} FOR SELECT USING (true);"
        f"CREATE POLICY changed ON {resource} FOR UPDATE USING (true)"
    )
    undo = await connections_with(site, f"role = {role}")
    try:
        response = await site.write("DELETE", resource)
    finally:
        app.running.database.pool.close_idle(lambda raw: True)
        await site.witness.execute(
            f"{undo}; ALTER TABLE {resource} DISABLE ROW LEVEL SECURITY; DROP POLICY seen ON {resource};"
            f"DROP POLICY changed ON {resource}; DROP OWNED BY {role}; DROP ROLE {role}"
        )

    assert shown(response)[:2] == (403, "forbidden")
    assert await site.witness.fetchval(f"SELECT count(*) FROM {resource}") == 1


async def test_the_start_warns_of_values_that_may_be_too_long(module_database_url: str) -> None:
    other = App(Resource(Booking, read=anyone))
    warned: list[ValueMayBeTooLong] = []
    other.events.subscribe(ValueMayBeTooLong, warned.append)
    async with TestApp(other, module_database_url):
        pass

    assert {item.field for item in warned} == {"Booking.name", "Booking.late"}
    assert all("MaxLen(672)" in item.hint for item in warned)
