"""A FastAPI application behind the gate, on another server than ours: protected, and otherwise as it is."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.conftest import run
from tests.acceptance.gated_fastapi_site import Site, serving
from tests.acceptance.raw_http import Connection, RawResponse, request

JSON = "content-type: application/json"
LOGIN = b'{"name": "ada", "password": "correct horse"}'


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """With limits that are in nobody's way."""
    with serving(tmp_path_factory.mktemp("gated"), GATEPOST_LIMIT_API="1000000", GATEPOST_LIMIT_AUTH="1000") as started:
        yield started


def ask(site: Site, method: str, path: str, *lines: str, body: bytes = b"") -> RawResponse:
    with Connection(site.port) as connection:
        connection.send(request(method, path, *lines, body=body))
        response = connection.receive(method)
        assert response is not None
        return response


def token(site: Site) -> str:
    return f"authorization: Bearer {ask(site, 'POST', '/login', JSON, body=LOGIN).json()}"


def test_it_gets_all_of_the_examination(tmp_path: Path, environ: dict[str, str]) -> None:
    with serving(tmp_path) as site:  # as it is in production, with the limits of production
        options = ["--gate", f"http://127.0.0.1:{site.port}/books", "--origin", "https://shop.example"]
        done = run("doctor", *options, "--patience", "12", "--json", cwd=tmp_path, environ=environ)
    report = json.loads(done.stdout)
    found = [finding for findings in report["subjects"].values() for finding in findings]
    assert [finding for finding in found if finding["outcome"] in ("fail", "limited")] == []
    not_looked_at = {finding["check"] for finding in found if finding["outcome"] == "skip"}
    assert not_looked_at == {"encryption", "certificate", "TLS versions"}
    assert (report["percent"], report["grade"], done.returncode) == (100, "A", 0)


def test_the_applications_lifespan_has_run_and_its_responses_are_its_own(site: Site) -> None:
    response = ask(site, "GET", "/books")
    assert (response.status, response.json()[0]) == (200, {"title": "The Dispossessed", "price": "12.50"})
    assert response.headers["content-security-policy"].startswith("default-src 'none';")
    missing = ask(site, "GET", "/nothing")
    assert (missing.status, missing.json()) == (404, {"detail": "Not Found"})
    assert missing.headers["x-request-id"]


def test_the_applications_validation_is_its_own(site: Site) -> None:
    wrong = b'{"title": "", "price": -1}'
    response = ask(site, "POST", "/books", JSON, token(site), body=wrong)
    assert response.status == 422
    assert [error["loc"] for error in response.json()["detail"]] == [["body", "title"], ["body", "price"]]
    made = ask(site, "POST", "/books", JSON, token(site), body=b'{"title": "Invisible Cities", "price": "9.90"}')
    assert (made.status, made.json()) == (201, {"title": "Invisible Cities", "price": "9.90"})


def test_what_the_application_could_misread_does_not_reach_it(site: Site) -> None:
    doubled = b'{"title": "A", "price": 1, "price": 2}'
    assert ask(site, "POST", "/books", JSON, token(site), body=doubled).code == "malformed_json"
    form = "content-type: multipart/form-data; boundary=x"
    assert ask(site, "POST", "/books", form, body=b"--x--").code == "unsupported_media_type"
    assert ask(site, "GET", "/books/%2e%2e/x").code == "malformed_request"


def test_a_stream_stays_one(site: Site) -> None:
    response = ask(site, "GET", "/books.csv")
    assert response.headers["transfer-encoding"] == "chunked"
    assert response.body.startswith(b"title,price\r\nThe Dispossessed,12.50\r\n")


def test_head_is_what_the_application_makes_of_it(site: Site) -> None:
    response = ask(site, "HEAD", "/books")
    assert (response.status, response.headers["allow"], response.body) == (405, "GET", b"")


def test_a_path_takes_what_it_asks_for_and_as_much(site: Site) -> None:
    lines = b"Invisible Cities,9.90\r\n" * 100_000
    response = ask(site, "PUT", "/books.csv", "content-type: text/csv", token(site), body=lines)
    assert (response.status, response.json()) == (200, 100_000)
    more = ask(site, "PUT", "/books.csv", "content-type: text/csv", "content-length: 10000001")
    assert (more.status, more.code) == (413, "content_too_large")
    assert ask(site, "PUT", "/books.csv", JSON, token(site), body=b"{}").code == "unsupported_media_type"


def test_a_signed_in_client_has_its_own_limit_and_responses_that_no_cache_stores(site: Site) -> None:
    response = ask(site, "GET", "/books", token(site))
    assert response.headers["cache-control"] == "no-store"
    assert '"api-actor";r=' in response.headers["ratelimit"]
    assert "cache-control" not in ask(site, "GET", "/books").headers


def test_a_page_that_is_known_may_call_and_others_may_not(site: Site) -> None:
    lines = ["access-control-request-method: POST"]
    known = ask(site, "OPTIONS", "/books", "origin: https://shop.example", *lines)
    assert known.headers["access-control-allow-origin"] == "https://shop.example"
    for path, origin in [("/books", "https://evil.example"), ("/login", "https://shop.example")]:
        assert "access-control-allow-origin" not in ask(site, "OPTIONS", path, f"origin: {origin}", *lines).headers


def test_guessing_passwords_ends_after_five_and_the_rest_goes_on(tmp_path: Path) -> None:
    with serving(tmp_path) as site:
        wrong = b'{"name": "ada", "password": "a guess"}'
        statuses = [ask(site, "POST", "/login", JSON, body=wrong).status for _ in range(7)]
        assert statuses == [401] * 5 + [429] * 2
        assert ask(site, "GET", "/books").status == 200
        assert {ask(site, "GET", "/healthz").status for _ in range(120)} == {200}
        assert ask(site, "GET", "/books").status == 200
        assert site.stop() == 0
        lines = [json.loads(line) for line in site.output.splitlines() if line.startswith("{")]
    logged = [(line["method"], line["route"], line["status"]) for line in lines]
    assert logged[:7] == [("POST", "/login", status) for status in statuses], "an access line of every response"
    assert logged[7:] == [("GET", "/books/*", 200)] * 2, "and none of a probe that succeeds"


def test_attempts_at_an_account_end_after_five_from_wherever_and_its_owner_is_not_locked_out(tmp_path: Path) -> None:
    with serving(tmp_path, GATEPOST_TRUSTED_PROXIES="127.0.0.1") as site:

        def attempt(number: int, body: bytes, *lines: str) -> RawResponse:
            return ask(site, "POST", "/login", JSON, f"x-forwarded-for: 192.0.2.{number}", *lines, body=body)

        cookie = attempt(1, LOGIN).headers["set-cookie"].partition(";")[0]
        wrong = b'{"name": "Ada ", "password": "a guess"}'
        assert [attempt(number, wrong).status for number in range(2, 9)] == [401] * 5 + [429] * 2
        assert attempt(10, LOGIN).status == 429
        assert [attempt(number, LOGIN, f"cookie: {cookie}").status for number in range(11, 19)] == [200] * 8


def test_a_setting_that_is_wrong_ends_the_start_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(AssertionError) as raised, serving(tmp_path, GATEPOST_LIMIT_API="many"):
        pass
    assert "GATEPOST_LIMIT_API: is 'many', not a whole number." in str(raised.value)
