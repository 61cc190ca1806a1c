"""What PostgreSQL refuses, by its codes: the response, that nothing is written, and that its words stay in the log."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from fault_injection import KEY, FaultInjector
from outcomes_app import failures, refused, suppressed, violated

pytestmark = pytest.mark.asyncio(loop_scope="module")

WORDS = "the words of PostgreSQL with a hidden value"

RAISE = f"""
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.text ~ '^[0-9A-Z]{{5}}$' THEN RAISE EXCEPTION USING ERRCODE = NEW.text, MESSAGE = '{WORDS}'; END IF;
        RETURN NEW;
    END $$
"""

VALUES = ("22001", "22003", "22007", "22008", "22P02", "22021", "22P05")

CODES = {
    "53100": (503, "database_full"),
    "53400": (503, "database_full"),
    "53200": (503, "database_out_of_memory"),
    "57014": (504, "database_timeout"),
    "55P03": (504, "database_timeout"),
    "40001": (503, "transaction_conflict"),
    "40P01": (503, "transaction_conflict"),
    "25006": (500, "internal_error"),
    "42501": (422, "refused_by_trigger"),
    "22000": (500, "internal_error"),
    "22012": (500, "internal_error"),
    "2200H": (500, "internal_error"),
    "44000": (409, "violates_constraint"),
    "P0001": (422, "refused_by_trigger"),
    "GP001": (422, "refused_by_trigger"),
    "XX000": (500, "internal_error"),
}

OF_CONNECTIONS = ("08000", "08001", "08003", "08006", "08P01", "28000", "28P01", "3D000", "53300", "57P01", "57P03")
"""Codes by which PostgreSQL says that a connection is lost or refused, where it is not a trigger that chose them."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def refusing(injector: FaultInjector) -> AsyncIterator[FaultInjector]:
    """Rows whose text is a SQLSTATE are refused with it."""
    injector.proxy.rest()
    await injector.witness.execute(RAISE)
    for table in ("bookings", "postings"):
        await injector.witness.execute(
            f"CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
    yield injector
    await injector.witness.execute("DROP FUNCTION refuse CASCADE")


async def ask(injector: FaultInjector, method: str, resource: str, state: str) -> tuple[int, str, str]:
    """Write a text that is refused; the response as text too."""
    await injector.prepare(resource)
    failures.clear()
    refused.clear()
    path = f"/api/{resource}" if method == "POST" else f"/api/{resource}/{KEY}"
    response = await injector.client.request(method, path, json={"text": state})
    assert not await injector.is_written("create", resource)
    return response.status, response.json()["code"], response.body.decode()


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("resource", ["bookings", "postings"])
async def test_each_code_has_its_response_and_no_words_of_postgresql(
    refusing: FaultInjector, resource: str, method: str
) -> None:
    for state, (status, code) in CODES.items():
        found = await ask(refusing, method, resource, state)
        assert found[:2] == (status, code), state
        assert "words" not in found[2], state
        assert len(failures) == (status == 500), state


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("resource", ["bookings", "postings"])
async def test_a_code_of_lost_connections_that_a_trigger_chose_is_a_mistake_and_the_connection_is_kept(
    refusing: FaultInjector, resource: str, method: str
) -> None:
    pool = refusing.database.pool
    for state in OF_CONNECTIONS:
        before = set(pool.open)
        assert (await ask(refusing, method, resource, state))[:2] == (500, "internal_error"), state
        assert len(failures) == 1, state
        assert pool.open == before, state
    assert not pool.reachability.is_lost


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_value_that_does_not_fit_names_the_fields_of_the_body_in_our_words(
    refusing: FaultInjector, method: str
) -> None:
    for state in VALUES:
        status, code, body = await ask(refusing, method, "bookings", state)
        assert (status, code) == (422, "invalid_body"), state
        assert '"pointer":"/text"' in body
        assert "words" not in body
        assert refused == [f"{state} {WORDS}"]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_inside_a_service_a_value_that_does_not_fit_is_a_mistake_of_the_service(
    refusing: FaultInjector, method: str
) -> None:
    for state in VALUES:
        status, code, body = await ask(refusing, method, "postings", state)
        assert (status, code) == (500, "internal_error"), state
        assert "words" not in body
        assert len(failures) == 1


@pytest.mark.parametrize("resource", ["bookings", "postings"])
async def test_what_commit_refuses_is_not_written(injector: FaultInjector, resource: str) -> None:
    injector.proxy.rest()
    await injector.witness.execute(RAISE.replace("refuse", "refuse_late"))
    await injector.witness.execute(
        f"CREATE CONSTRAINT TRIGGER refuse_late AFTER INSERT ON {resource} DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION refuse_late()"
    )
    try:
        for state in ("53100", "40001", "57014", "55P03"):
            status, code, _ = await ask(injector, "POST", resource, state)
            assert (status, code) == CODES[state]
        for state in OF_CONNECTIONS:
            assert (await ask(injector, "POST", resource, state))[:2] == (500, "internal_error"), state
    finally:
        await injector.witness.execute("DROP FUNCTION refuse_late CASCADE")


@pytest.mark.parametrize("resource", ["coins", "tokens"])
async def test_a_used_up_sequence_is_a_mistake_in_the_log(injector: FaultInjector, resource: str) -> None:
    injector.proxy.rest()
    await injector.witness.execute(f"TRUNCATE {resource}")
    await injector.witness.execute(f"ALTER SEQUENCE {resource}_id_seq MAXVALUE 2 RESTART WITH 2")
    failures.clear()
    try:
        responses = [await injector.client.post(f"/api/{resource}", json={"text": str(i)}) for i in range(3)]
        assert [response.status for response in responses] == [201, 500, 500]
        assert all("sequence" not in response.body.decode() for response in responses)
        assert len(failures) == 2
        assert "reached maximum value of sequence" in str(failures[0])
    finally:
        await injector.witness.execute(f"TRUNCATE {resource} RESTART IDENTITY")
        await injector.witness.execute(f"ALTER SEQUENCE {resource}_id_seq NO MAXVALUE RESTART WITH 1")


@pytest.mark.parametrize("resource", ["coins", "tokens"])
async def test_a_sequence_behind_its_table_is_a_mistake_in_the_log_that_says_what_to_run(
    injector: FaultInjector, resource: str
) -> None:
    injector.proxy.rest()
    await injector.witness.execute(f"TRUNCATE {resource} RESTART IDENTITY")
    await injector.witness.execute(
        f"INSERT INTO {resource} (id, text{', number' * (resource == 'coins')}) "
        f"VALUES (1, 'imported'{', 0' * (resource == 'coins')})"
    )
    failures.clear()
    assert (await injector.client.post(f"/api/{resource}", json={"text": "new"})).status == 500
    assert f"the sequence of {resource}.id is behind" in str(failures[0])
    await injector.witness.execute(str(failures[0]).partition("run ")[2])
    assert (await injector.client.post(f"/api/{resource}", json={"text": "new"})).status == 201
    duplicate = await injector.client.post(f"/api/{resource}", json={"text": "new"})
    assert (duplicate.status, duplicate.json()["errors"][0]["pointer"]) == (409, "/text")


async def test_a_key_that_a_service_has_set_is_a_duplicate_like_any_other(injector: FaultInjector) -> None:
    injector.proxy.rest()
    await injector.witness.execute("TRUNCATE tokens RESTART IDENTITY")
    await injector.client.post("/api/tokens", json={"text": "first"})
    response = await injector.client.post("/api/tokens", json={"text": "key 1"})
    assert (response.status, response.json()["code"]) == (409, "already_exists")


async def test_a_constraint_that_the_response_cannot_name_is_named_in_the_log(injector: FaultInjector) -> None:
    injector.proxy.rest()
    await injector.witness.execute("TRUNCATE tokens RESTART IDENTITY")
    await injector.witness.execute("CREATE UNIQUE INDEX tokens_lower ON tokens (lower(text))")
    await injector.witness.execute("ALTER TABLE tokens ADD CONSTRAINT not_bad CHECK (text <> 'bad')")
    try:
        await injector.client.post("/api/tokens", json={"text": "word"})
        violated.clear()
        same = await injector.client.post("/api/tokens", json={"text": "WORD"})
        assert (same.json()["code"], same.json().get("errors", [])) == ("already_exists", [])
        assert (await injector.client.post("/api/tokens", json={"text": "bad"})).json()["code"] == "violates_constraint"
        assert violated == [("tokens_lower", "tokens"), ("not_bad", "tokens")]
        violated.clear()
        assert (await injector.client.post("/api/tokens", json={"text": "word"})).status == 409
    finally:
        await injector.witness.execute("DROP INDEX tokens_lower")
        await injector.witness.execute("ALTER TABLE tokens DROP CONSTRAINT not_bad")


async def test_a_code_that_a_trigger_chose_asks_for_no_grant(refusing: FaultInjector) -> None:
    assert (await ask(refusing, "POST", "bookings", "42501"))[:2] == (422, "refused_by_trigger")
    assert not failures


LEAVE_OUT = """
    CREATE FUNCTION leave_out() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
    CREATE TRIGGER leave_out BEFORE INSERT OR UPDATE OR DELETE ON {} FOR EACH ROW EXECUTE FUNCTION leave_out()
"""


@pytest.mark.filterwarnings("ignore:DELETE statement on table")
@pytest.mark.parametrize("resource", ["bookings", "postings"])
async def test_a_write_that_a_trigger_suppresses_is_refused(injector: FaultInjector, resource: str) -> None:
    await injector.prepare(resource)
    await injector.witness.execute(LEAVE_OUT.format(resource))
    failures.clear()
    suppressed.clear()
    try:
        for method, path, body in (
            ("POST", f"/api/{resource}", {"text": "second"}),
            ("POST", f"/api/{resource}", {"text": "second"}),  # by the plan that was kept
            ("PATCH", f"/api/{resource}/{KEY}", {"text": "second"}),
            ("DELETE", f"/api/{resource}/{KEY}", None),
        ):
            response = await injector.client.request(method, path, **({} if body is None else {"json": body}))
            assert (response.status, response.json()["code"]) == (409, "suppressed_by_trigger")
    finally:
        await injector.witness.execute("DROP FUNCTION leave_out CASCADE")
    assert not failures
    assert suppressed == [resource] * 4
    assert not await injector.is_written("create", resource)


@pytest.mark.parametrize("resource", ["bookings", "postings"])
async def test_the_check_option_of_a_view_refuses_a_row_as_a_check_does(injector: FaultInjector, resource: str) -> None:
    await injector.prepare(resource)
    await injector.witness.execute(
        f"ALTER TABLE {resource} RENAME TO kept; "
        f"CREATE VIEW {resource} AS SELECT * FROM kept WHERE text <> 'hidden' WITH CHECK OPTION"
    )
    failures.clear()
    violated.clear()
    try:
        for method, path in (("POST", f"/api/{resource}"), ("PATCH", f"/api/{resource}/{KEY}")):
            response = await injector.client.request(method, path, json={"text": "hidden"})
            assert (response.status, response.json()["code"]) == (409, "violates_constraint")
            assert "Failing row" not in response.body.decode()
        assert violated == [(None, resource)] * 2
        assert not failures
    finally:
        await injector.witness.execute(f"DROP VIEW {resource}; ALTER TABLE kept RENAME TO {resource}")
