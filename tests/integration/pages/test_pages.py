"""The pages for people: `/docs` and `/`, what is on them, and where they are not."""

import gzip
from pathlib import Path

import pytest
from examples.bookshop.app import Author, Book, app
from joserfc.jwk import OKPKey
from sqlalchemy import MetaData

import gatepost.openapi.docs_page as docs
from gatepost import App, Resource, anyone, role
from gatepost.environment import load_settings
from gatepost.errors import ConfigurationError
from gatepost.gateway.compression import BYTES_MIN
from gatepost.server.safety import refuse_unsafe
from gatepost.testing import TestApp

SCRIPTS = "script-src 'self'"


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    return app.metadata


async def test_the_start_page_says_what_is_served(database_url: str) -> None:
    async with TestApp(app, database_url, GATEPOST_DEMO_USER="ada@shop.example:it's <secret>") as running:
        response = await running.anonymous.get("/", headers={"host": "127.0.0.1:8000"})

        page = response.body.decode()
        assert response.status == 200
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'; script-src 'sha256-" in response.headers["content-security-policy"]
        assert "curl -s http://127.0.0.1:8000/api/authors" in page
        assert "ada@shop.example" in page
        assert "it&#x27;" in page
        assert "<secret>" not in page
        assert "role(&#x27;editor&#x27;)" in page
        assert 'href="/docs"' in page


async def test_the_documentation_needs_nothing_from_elsewhere(database_url: str) -> None:
    async with TestApp(app, database_url) as running:
        response = await running.anonymous.get("/docs")
        assert (response.status, SCRIPTS in response.headers["content-security-policy"]) == (200, True)
        assert 'data-login="/api/auth/login"' in response.body.decode()
        assert "//" not in response.body.decode().replace("<!doctype html>", "")

        for name, (file, content_type) in docs.FILES.items():
            plain = await running.anonymous.get(f"/docs/{name}")
            coded = await running.anonymous.get(f"/docs/{name}", headers={"accept-encoding": "gzip, br"})
            assert (plain.status, plain.headers["content-type"]) == (200, content_type)
            assert plain.body == file.read_bytes()
            if len(plain.body) > BYTES_MIN:
                assert gzip.decompress(coded.body) == plain.body
                assert coded.headers["content-encoding"] == "gzip"
        assert (await running.anonymous.get("/docs/../settings.py")).status in (400, 404)
        assert (await running.anonymous.get("/docs/docs_page.py")).status == 404


async def test_production_has_a_start_page_where_a_setting_asks_for_it(database_url: str) -> None:
    key = OKPKey.generate_key("Ed25519").as_pem(private=True).decode()
    production = {"GATEPOST_ENV": "production", "GATEPOST_SIGNING_KEY": key}
    async with TestApp(app, database_url, **production) as running:
        assert (await running.anonymous.get("/")).status == 404
        assert (await running.anonymous.get("/docs")).status == 200
    async with TestApp(app, database_url, **production, GATEPOST_START_PAGE="always") as running:
        page = (await running.anonymous.get("/")).body.decode()
        assert "/api/books" in page
        assert "POST</td>" in page  # of signing in
        assert "role(" not in page
        assert "/api/orders" not in page


async def test_what_is_not_described_has_no_documentation(database_url: str) -> None:
    async with TestApp(app, database_url, GATEPOST_OPENAPI="nobody", GATEPOST_START_PAGE="never") as running:
        found = [
            (await running.anonymous.get(path)).status for path in ("/", "/docs", "/docs/docs.js", "/openapi.json")
        ]
        assert found == [404] * 4


async def asgi(scope, receive, send) -> None:
    """An application that responds to everything."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"mounted"})


async def test_pages_give_way_to_mounts(database_url: str) -> None:
    resources = [Resource(Author, read=anyone, write=role("editor")), Resource(Book, read=anyone, write=role("editor"))]
    async with TestApp(App(*resources, mount={"/docs": asgi}), database_url) as running:
        for path in ("/docs", "/docs/docs.js"):
            assert (await running.anonymous.get(path)).body == b"mounted"


def test_production_refuses_to_show_a_password() -> None:
    environ = {"GATEPOST_ENV": "production", "GATEPOST_DEMO_USER": "ada@shop.example:secret"}
    with pytest.raises(ConfigurationError, match="GATEPOST_DEMO_USER shows a password"):
        refuse_unsafe(load_settings(environ))
    with pytest.raises(ConfigurationError, match="must be an e-mail and a password"):
        load_settings({"GATEPOST_DEMO_USER": "ada"})


def test_the_files_of_swagger_ui_are_all_there() -> None:
    folder = Path(docs.__file__).parent / "swagger_ui"
    listed = {line.split()[1] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    assert listed == {file.name for file in folder.iterdir()} - {"SHA256SUMS", "README.md"}
