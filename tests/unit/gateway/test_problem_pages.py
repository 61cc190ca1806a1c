"""The pages of problems: what each says, and which `type` leads to it."""

import re
from typing import Any

import msgspec
import pytest

from gatepost.call import Call
from gatepost.error_codes import CODES
from gatepost.errors import ConfigurationError, Conflict, NotFound, Unprocessable
from gatepost.gateway.problem_pages import ProblemPages, declared_problems, gatepost_problems, problem_types

OUT_OF_STOCK = Conflict("out_of_stock", "Too few copies of <this> are left.")


async def page(pages: ProblemPages, code: str) -> str:
    (endpoint,) = pages.endpoints()
    call: Any = msgspec.structs.replace(BARE, path_values=(code,))
    response = await endpoint.handler(call)
    assert (response.status, response.cache_control) == (200, b"public, max-age=3600")
    assert response.headers == ((b"content-type", b"text/html; charset=utf-8"),)
    return response.body.decode()


async def nothing() -> Any:
    raise NotImplementedError


BARE = Call({}, nothing, "id", "192.0.2.1", {}, b"")


@pytest.mark.parametrize("code", CODES)
async def test_the_page_of_a_code_says_what_the_table_says(code: str) -> None:
    item = CODES[code]
    html = await page(ProblemPages(gatepost_problems()), code)
    text = re.sub(r"<[^>]+>", "", html).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")

    assert f"{item.problem.status} {item.problem.title}" in text
    for said in (item.meaning, item.when, item.advice):
        assert re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", said).replace("`", "") in text
    assert "`" not in html
    assert "](" not in html


async def test_a_declared_problem_has_a_page_with_every_sentence_of_it_escaped() -> None:
    again = [OUT_OF_STOCK, Conflict("out_of_stock", "None is left."), OUT_OF_STOCK]
    found = await page(ProblemPages(declared_problems(again)), "out_of_stock")

    assert "<p>409 Conflict</p>" in found
    assert "<p>Too few copies of &lt;this&gt; are left. None is left.</p>" in found


async def test_a_code_that_nothing_describes_has_no_page() -> None:
    with pytest.raises(NotFound):
        await page(ProblemPages(gatepost_problems()), "out_of_stock")


def test_all_pages_have_one_policy_that_admits_no_script() -> None:
    pages = ProblemPages({**gatepost_problems(), **declared_problems([OUT_OF_STOCK])})

    assert "default-src 'none'; style-src 'sha256-" in pages.policy
    assert "script" not in pages.policy
    assert "unsafe" not in pages.policy


def test_a_declared_problem_with_a_code_of_gatepost_keeps_the_page_of_gatepost() -> None:
    assert declared_problems([NotFound("not_found", "No such article.")]) == {}


@pytest.mark.parametrize(
    ("problems", "words"),
    [
        ([OUT_OF_STOCK, Unprocessable("out_of_stock", "None.")], "with the status 409 and with 422"),
        ([Conflict("out of stock", "None.")], "cannot stand in the path"),
        ([Conflict("a/b", "None.")], "cannot stand in the path"),
    ],
)
def test_a_declaration_that_cannot_have_a_page_is_refused(problems: list[Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        declared_problems(problems)


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        (None, "/problems/a"),
        ("https://shop.example/errors", "https://shop.example/errors/a"),
        ("https://shop.example/errors/", "https://shop.example/errors/a"),
    ],
)
def test_the_type_is_a_page_of_the_server_or_below_the_base_url(base_url: str | None, expected: str) -> None:
    assert problem_types(["a"], base_url) == {"a": expected}
