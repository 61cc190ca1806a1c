"""The type of a problem leads to a page: in an app, with a base URL, and behind the gate alone."""

from typing import Any

import pytest
from gate_conversation import ask, raising, responding, scope

from gatepost import App, Model, Resource, anyone
from gatepost.environment import load_settings
from gatepost.errors import ConfigurationError, Conflict, NotFound
from gatepost.gateway import Gate

BASE_URL = {"GATEPOST_PROBLEM_BASE_URL": "https://shop.example/errors"}
DATABASE = {"DATABASE_URL": "postgresql://user@127.0.0.1:1/nowhere"}


class Pamphlet(Model):
    __tablename__ = "pamphlets"


def gate_of(mount: Any = None, **environ: str) -> Any:
    app = App(Resource(Pamphlet, read=anyone), mount=mount or {})
    return app.composed(load_settings({**DATABASE, **environ})).gate


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_type_of_a_refusal_leads_to_its_page(method: str) -> None:
    gate = gate_of()
    refused = await ask(gate, scope(path="/nowhere"))

    page = await ask(gate, scope(method, refused.problem["type"]))

    assert refused.problem["type"] == "/problems/not_found"
    assert (page.status, page.header("content-type")) == (200, "text/html; charset=utf-8")
    assert page.header("cache-control") == "public, max-age=3600"
    assert page.header("content-security-policy").startswith("default-src 'none'; style-src 'sha256-")
    assert page.header("ratelimit-policy") is not None
    assert (b"<code>not_found</code>" in page.body) == (method == "GET")


@pytest.mark.parametrize("path", ["/problems", "/problems/xyz", "/problems/not_found/more"])
async def test_there_is_no_other_page(path: str) -> None:
    response = await ask(gate_of(), scope(path=path))

    assert (response.status, response.problem["type"]) == (404, "/problems/not_found")


async def test_a_base_url_moves_the_type_and_leaves_the_pages() -> None:
    gate = gate_of(**BASE_URL)

    refused = await ask(gate, scope(path="/nowhere"))

    assert refused.problem["type"] == "https://shop.example/errors/not_found"
    assert (await ask(gate, scope(path="/problems/not_found"))).status == 200


@pytest.mark.parametrize("value", ["/errors", "shop.example", "ftp://a.example", "https://a.example/?x=", "https://"])
def test_what_is_no_base_url_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match="must be a URL"):
        load_settings({"GATEPOST_PROBLEM_BASE_URL": value})


def test_a_mount_at_the_path_of_the_pages_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="mount='/problems' is also the path of problem"):
        gate_of(mount={"/problems": responding()})


@pytest.mark.parametrize(
    ("error", "environ", "expected"),
    [
        (NotFound("not_found", "Nothing."), {}, "about:blank"),
        (NotFound("not_found", "Nothing."), BASE_URL, "https://shop.example/errors/not_found"),
        (Conflict("out_of_stock", "None is left."), BASE_URL, "about:blank"),
    ],
)
async def test_the_gate_alone_serves_no_pages_and_names_them_only_below_the_base_url(
    error: Exception, environ: dict[str, str], expected: str
) -> None:
    settings = load_settings({"GATEPOST_ENV": "production", "GATEPOST_LOG_ACCESS": "false", **environ})

    assert (await ask(Gate(raising(error), settings=settings))).problem["type"] == expected
    assert (await ask(Gate(responding(204), settings=settings), scope(path="/problems/not_found"))).status == 204
