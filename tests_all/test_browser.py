"""The pages of `make run` in a real browser: what they load, show and do, light, dark and on a phone."""

import asyncio
import os
import re
import shlex
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from benchmarks.node import find_node
from examples.bookshop.accounts import EDITOR, PASSWORD
from playwright.async_api import Browser, Page, Route
from tests.acceptance.conftest import Running, without_settings
from tests.acceptance.test_bookshop import Shop

ROOT = Path(__file__).parent.parent

in_module = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a bookshop that runs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GATEPOST", "DATABASE_URL"))}
    shop = Shop(tmp_path_factory.mktemp("browser") / "data", {**kept, "NO_COLOR": "1"})
    try:
        yield f"http://127.0.0.1:{shop.ready().port}"
    finally:
        shop.close()


class Visit:
    """A visit of a page, and what the browser complained about or loaded from elsewhere meanwhile."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._check(request.url, address))

    def _check(self, url: str, address: str) -> None:
        if not url.startswith((address, "data:", "blob:")):
            self.complaints.append(f"loaded {url}")


async def visit(browser: Browser, address: str, path: str, **options: Any) -> Visit:
    """A new visit, in a context of its own."""
    context = await browser.new_context(**options)
    found = Visit(await context.new_page(), address)
    await found.page.goto(address + path)
    return found


async def sign_in(page: Page, password: str = PASSWORD) -> None:
    """Fill in the form of the documentation."""
    await page.wait_for_selector(".opblock")
    await page.fill("#sign-in [name=email]", EDITOR)
    await page.fill("#sign-in [name=password]", password)
    await page.click("#sign-in [type=submit]")


@in_module
@pytest.mark.parametrize("path", ["/", "/docs"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
async def test_a_page_fits_and_breaks_no_policy(
    browser: Browser, address: str, path: str, scheme: Any, width: int
) -> None:
    found = await visit(browser, address, path, color_scheme=scheme, viewport={"width": width, "height": 800})
    await found.page.wait_for_selector(".opblock" if path == "/docs" else "table")
    shown = await found.page.evaluate(
        "[document.documentElement.scrollWidth, getComputedStyle(document.body).backgroundColor]"
    )
    background = sum(map(int, re.findall(r"\d+", shown[1])[:3]))

    assert found.complaints == []
    assert shown[0] <= width
    assert background < 200 if scheme == "dark" else background > 600


@in_module
async def test_signing_in_shows_what_the_user_may_do(browser: Browser, address: str) -> None:
    found = await visit(browser, address, "/docs")
    await sign_in(found.page)
    creating = found.page.locator(".opblock-post", has_text="/api/books")
    await creating.wait_for()
    assert await found.page.inner_text("#sign-in output") == f"Signed in as {EDITOR}"

    await found.page.click("#sign-in [type=button]")
    await creating.wait_for(state="detached")
    assert found.complaints == []
    assert await found.page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]


@in_module
async def test_a_wrong_password_is_told(browser: Browser, address: str) -> None:
    found = await visit(browser, address, "/docs")
    await sign_in(found.page, "wrong")
    refusal = found.page.locator("#sign-in output", has_text="password")
    await refusal.wait_for()
    assert "Signed in" not in await refusal.inner_text()


@in_module
async def test_a_call_is_tried(browser: Browser, address: str) -> None:
    found = await visit(browser, address, "/docs")
    await sign_in(found.page)
    operation = found.page.locator(".opblock-post", has_text="/api/authors")
    await operation.wait_for()
    await operation.locator(".opblock-summary-control").click()
    await operation.locator("textarea").fill('{"name": "Ursula K. Le Guin"}')
    async with found.page.expect_response(lambda response: response.url.endswith("/api/authors")) as sent:
        await operation.get_by_text("Execute", exact=True).click()
    response = await sent.value
    assert response.status == 201
    assert (await response.json())["data"]["name"] == "Ursula K. Le Guin"


@in_module
async def test_commands_are_copied_and_work(browser: Browser, address: str) -> None:
    found = await visit(browser, address, "/", permissions=["clipboard-read", "clipboard-write"])
    commands: list[str] = []
    for button in await found.page.locator("button").all():
        await button.click()
        commands.append(await found.page.evaluate("navigator.clipboard.readText()"))
    assert len(commands) == 2
    for command in commands:
        words = [*shlex.split(command), "--fail-with-body"]
        done = await asyncio.to_thread(subprocess.run, words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
        assert '"data"' in done.stdout


AXE_CORE = "axe-core@4.14.1"
SEEN = (".opblock-get:has-text('/api/books')", ".opblock-post:has-text('/api/authors')", ".opblock-patch >> nth=0")
"""Operations whose forms and responses are looked at."""


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of axe-core."""
    node, folder = find_node(), tmp_path_factory.mktemp("axe")
    assert node is not None, "Node.js and npm are not installed"
    subprocess.run([*node.npm, "pack", "--silent", AXE_CORE], cwd=folder, check=True, timeout=300)
    with tarfile.open(next(folder.glob("*.tgz"))) as package:
        file = package.extractfile("package/axe.min.js")
        assert file is not None
        return file.read().decode()


RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice")


async def violations(page: Page, axe: str, rules: Sequence[str] = RULES) -> list[str]:
    """What axe-core finds on a page: the rules of WCAG 2.1 A and AA, and its own good practice, or those with other
    tags."""
    await page.evaluate(axe)
    found = await page.evaluate(
        "(rules) => axe.run({runOnly: rules, resultTypes: ['violations']})",
        list(rules),
    )
    return [f"{item['id']}: {node['html'][:200]}" for item in found["violations"] for node in item["nodes"]]


@in_module
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_start_page_is_accessible(browser: Browser, address: str, axe: str, scheme: Any) -> None:
    found = await visit(browser, address, "/", color_scheme=scheme)

    assert await violations(found.page, axe) == []


@in_module
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_documentation_is_accessible(browser: Browser, address: str, axe: str, scheme: Any) -> None:
    found = await visit(browser, address, "/docs", color_scheme=scheme)
    await sign_in(found.page)
    await found.page.locator(".opblock-post", has_text="/api/books").wait_for()
    for operation in SEEN:
        await found.page.locator(operation).first.locator(".opblock-summary-control").click()
    await found.page.locator(".responses-table[aria-label*=PATCH]").wait_for()

    assert await violations(found.page, axe) == []
    assert found.complaints == []


SCHEMES = {
    "Passwords": {"type": "http", "scheme": "basic"},
    "PartnerKeys": {"type": "apiKey", "in": "header", "name": "X-Key", "description": "A key of *partners*."},
    "Sessions": {"type": "apiKey", "in": "cookie", "name": "session"},
    "Signatures": {"type": "http", "scheme": "hmac"},
}
"""The schemes of other authenticators, which have other fields."""


@in_module
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_dialog_for_credentials_is_accessible(browser: Browser, address: str, axe: str, scheme: Any) -> None:
    async def describe_all(route: Route) -> None:
        response = await route.fetch()
        document = await response.json()
        document["components"]["securitySchemes"] |= SCHEMES
        await route.fulfill(response=response, json=document)

    found = await visit(browser, address, "/", color_scheme=scheme)
    await found.page.route("**/openapi.json", describe_all)
    await found.page.goto(f"{address}/docs")
    await found.page.click(".btn.authorize")
    dialog = found.page.get_by_role("dialog", name="Available authorizations")
    await dialog.wait_for()
    assert await violations(found.page, axe) == []

    await dialog.get_by_label("Value").first.fill("a token")
    await dialog.get_by_role("button", name="Authorize").first.click()
    await dialog.get_by_role("button", name="Logout").wait_for()
    assert await violations(found.page, axe) == []
    assert found.complaints == []


FOCUSED = """
() => [document.activeElement.closest("[role=dialog]") !== null, document.activeElement.textContent]
"""


@in_module
async def test_the_dialog_for_credentials_keeps_the_focus_and_gives_it_back(browser: Browser, address: str) -> None:
    found = await visit(browser, address, "/docs")
    await found.page.locator(".btn.authorize").press("Enter")
    await found.page.get_by_role("dialog").wait_for()
    ways: list[list[str]] = []
    for key in ("Tab", "Shift+Tab"):
        ways.append([])
        for _ in range(4):
            is_inside, text = await found.page.evaluate(FOCUSED)
            assert is_inside
            ways[-1].append(text)
            await found.page.keyboard.press(key)
    assert ways == [["", "Authorize", "Close", ""], ["", "", "Close", "Authorize"]]

    await found.page.keyboard.press("Escape")
    await found.page.get_by_role("dialog").wait_for(state="detached")
    await found.page.wait_for_function("document.activeElement.textContent === 'Authorize'")


@pytest.fixture(scope="module")
def streaming(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the app that streams."""
    folder = tmp_path_factory.mktemp("streaming")
    environ = {**without_settings(), "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    server = Running(["dev", "tests_all.streaming_app:app", "--port", "0"], folder, environ, "streaming")
    try:
        yield f"http://127.0.0.1:{server.ready().port}"
    finally:
        server.close()


FOLLOW = """
(count) => new Promise((resolve) => {
  const events = new EventSource("/api/ticks/events");
  const seen = [];
  let opened = 0;
  events.addEventListener("open", () => { opened += 1; });
  events.addEventListener("tick", (event) => {
    seen.push([event.lastEventId, JSON.parse(event.data)]);
    if (seen.length === count) {
      events.close();
      resolve({ seen, opened });
    }
  });
})
"""


@in_module
async def test_a_page_follows_events_and_connects_again_where_it_was(browser: Browser, streaming: str) -> None:
    found = await visit(browser, streaming, "/docs")
    followed = await found.page.evaluate(FOLLOW, 7)

    assert followed["seen"] == [[str(number), {"number": number, "text": "two\nlines"}] for number in range(1, 8)]
    assert followed["opened"] == 3
    assert found.complaints == []


def test_the_files_of_swagger_ui_are_those_of_its_package() -> None:
    done = subprocess.run([ROOT / "tests/check-vendored"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
