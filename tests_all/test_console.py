"""The console in a real browser: what it loads, shows and lets one do, light, dark, on a phone and by keyboard."""

import asyncio
import http.client
import json
import os
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright
from tests.acceptance.conftest import GATEPOST, Running, wait_for, without_settings
from tests_all.test_browser import CHROMIUM, ROOT, Visit, axe, violations

__all__ = ["axe"]  # the script of axe-core, a fixture

in_module = pytest.mark.asyncio(loop_scope="module")

PAGES = (
    *("", "traffic", "traffic/checkout.check_out", "errors", "errors?tab=refusals", "database", "clients", "alerts"),
    *("logs", "system", "system?tab=changes", "system?tab=settings", "system?tab=levels", "system?tab=licences"),
)
HEADINGS = ("Now", "Traffic", "Errors", "Database", "Clients", "Alerts", "Logs", "System")


class Console(Running):
    """`gatepost console`."""

    @property
    def address(self) -> str:
        """The address that works once."""
        found = wait_for(lambda: re.search(r"http://\S+once=\S+", self.output), "the address")
        assert isinstance(found, re.Match)
        return found[0]


class Watched:
    """An app that runs, and the console of it that `gatepost console` has opened: `once` is its address, which works
    for one browser, `address` what stands before its pages."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "admin.sock"
        self.environ = {
            **without_settings(),
            "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
            "GATEPOST_ADMIN_SOCKET": str(self.socket),
            "NO_COLOR": "1",
        }
        self.server = Running(["dev", "tests_all.console_app:app", "--port", "0"], folder, self.environ, "watched")
        try:
            self.port = self.server.ready().port
            wait_for(self.socket.exists, "the admin socket")
            self.console = Console(["console"], folder, self.environ, "console")
        except BaseException:
            self.server.close()
            raise
        self.once = self.console.address
        self.address = "{0.scheme}://{0.netloc}".format(urlsplit(self.once))

    def close(self) -> None:
        self.console.close()
        self.server.close()

    def send(self, method: str, path: str, body: Any = None) -> int:
        """A request to the API; its status."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"content-type": "application/json"})
            response = connection.getresponse()
            response.read()
            return response.status
        finally:
            connection.close()

    def command(self, *words: str) -> Any:
        """What a command says as JSON."""
        done = subprocess.run(
            [GATEPOST, *words, "--json"], env=self.environ, capture_output=True, text=True, check=False, timeout=60
        )
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """The app after an incident: some of its operations have failed."""
    found = Watched(tmp_path_factory.mktemp("watched"))
    try:
        for number in range(40):
            found.send("GET", "/api/books")
            found.send("POST", f"/api/checkout?copies={13 if number % 4 == 0 else 1}")
        found.send("GET", "/api/books?nope=1")
        wait_for(lambda: found.command("errors", "list"), "the group of errors")
        yield found
    finally:
        found.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        await found.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cookies(browser: Browser, watched: Watched) -> list[Any]:
    """Those of the browser for which the address has worked."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(watched.once)
    await page.get_by_role("heading", name="Now").wait_for()
    found = await context.cookies()
    await context.close()
    return found


async def open_page(
    browser: Browser, watched: Watched, cookies: list[Any], path: str, **options: Any
) -> tuple[BrowserContext, Visit]:
    """A visit of a page of the console, in a context of its own."""
    context = await browser.new_context(**options)
    await context.add_cookies(cookies)
    found = Visit(await context.new_page(), watched.address)
    await found.page.goto(f"{watched.address}/console/{path}")
    await shown(found.page)
    return context, found


async def shown(page: Page) -> None:
    """Wait for a page with its state and its data."""
    await page.locator("main h1").wait_for()
    await page.locator(".state.ok, .state.degraded, .state.down").wait_for()
    await page.wait_for_load_state("networkidle")


@in_module
@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
async def test_a_page_is_accessible_fits_and_breaks_no_policy(
    browser: Browser, watched: Watched, cookies: list[Any], axe: str, path: str, scheme: Any, width: int
) -> None:
    context, found = await open_page(
        browser, watched, cookies, path, color_scheme=scheme, viewport={"width": width, "height": 800}
    )
    assert await found.page.evaluate("document.documentElement.scrollWidth") <= width
    assert found.complaints == []
    assert await violations(found.page, axe) == []
    await context.close()


SHIFTS = """
new Promise((resolve) => {
  let sum = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
  setTimeout(() => resolve(sum), 1500);
})
"""


@in_module
@pytest.mark.parametrize("path", PAGES)
async def test_a_page_stays_where_it_is_while_it_loads(
    browser: Browser, watched: Watched, cookies: list[Any], path: str
) -> None:
    context, found = await open_page(browser, watched, cookies, path, viewport={"width": 1280, "height": 800})
    assert await found.page.evaluate(SHIFTS) <= 0.05
    await context.close()


@in_module
async def test_attacks_in_errors_and_in_the_log_are_text(
    browser: Browser, watched: Watched, cookies: list[Any]
) -> None:
    watched.send("GET", "/api/books?title=%3Cscript%3Ealert(1)%3C/script%3E")
    watched.send("GET", "/api/%3Cimg%20src=x%20onerror=alert(2)%3E%E2%80%AEgnp.exe")
    for path, text in (
        ("errors", '<img src=x onerror=alert(1)>" is left \\u202eyadot\\u202c \\u001b[31mred\\u001b[0m'),
        ("logs", "<img src=x onerror=alert(2)>"),
    ):
        context, found = await open_page(browser, watched, cookies, path)
        dialogs: list[str] = []
        found.page.on("dialog", lambda dialog, said=dialogs: said.append(dialog.message))
        await found.page.get_by_text(text).first.wait_for()
        assert await found.page.locator("main img, main script").count() == 0
        assert (dialogs, found.complaints) == ([], [])
        await context.close()


@in_module
async def test_three_questions_are_answered_in_three_clicks(
    browser: Browser, watched: Watched, cookies: list[Any]
) -> None:
    context, found = await open_page(browser, watched, cookies, "", viewport={"width": 1280, "height": 800})
    page = found.page
    # What is wrong, since when: on the first page, without a click, and without scrolling.
    wrong = page.get_by_role("region", name="What is wrong")
    await wrong.get_by_text("SoldOut").wait_for()
    changed = page.get_by_role("region", name="What changed")
    await changed.get_by_text("SoldOut").first.wait_for()
    assert re.match(r"\d\d:\d\d", await wrong.locator("time").first.inner_text())
    for region in (wrong, changed):
        box = await region.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 800
    # Because of what: the alert, the error, its traceback.
    await changed.locator("a[href*='/console/errors/']").first.click()
    await page.get_by_text("raise SoldOut").first.wait_for()
    assert found.complaints == []
    await context.close()


@in_module
async def test_numbers_are_those_of_the_commands(browser: Browser, watched: Watched, cookies: list[Any]) -> None:
    context, found = await open_page(browser, watched, cookies, "clients")
    listed = watched.command("top", "clients")["addresses"]
    row = found.page.get_by_role("table", name="Clients").locator("tbody tr").first
    assert f"{listed[0]['requests']:,}" in (await row.inner_text()).replace("\n", " ")
    await found.page.goto(f"{watched.address}/console/errors")
    group = watched.command("errors", "list")[0]
    await found.page.locator(".groups dd").first.get_by_text(str(group["count"]), exact=True).wait_for()
    await context.close()


@in_module
async def test_everything_is_reached_by_keyboard(browser: Browser, watched: Watched, cookies: list[Any]) -> None:
    context, found = await open_page(browser, watched, cookies, "")
    page = found.page
    for key, heading in zip("ntedcals", HEADINGS, strict=True):
        await page.keyboard.press("g")
        await page.keyboard.press(key)
        await page.get_by_role("heading", name=heading, level=1).wait_for()

    await page.keyboard.press("Control+k")
    await page.keyboard.type("post checkout")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/console/traffic/checkout.check_out**")

    await page.keyboard.press("?")
    await page.get_by_role("dialog", name="Keys").wait_for()
    await page.keyboard.press("Escape")

    await page.goto(f"{watched.address}/console/traffic?range=15m")
    await shown(page)
    links = page.locator(".row-link")
    await links.first.focus()
    await page.keyboard.press("ArrowDown")
    assert await page.evaluate("document.activeElement.closest('tr').dataset.row") == "1"
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/console/traffic/*")
    assert "range=15m" in page.url

    await page.goto(f"{watched.address}/console?range=15m")
    await shown(page)
    chart = page.locator(".plot").first
    await chart.focus()
    for key in ("ArrowLeft", "Shift+ArrowLeft", "Shift+ArrowLeft", "Enter"):
        await page.keyboard.press(key)
    await page.wait_for_url("**from=*")
    assert found.complaints == []
    await context.close()


@in_module
async def test_dragging_over_a_chart_sets_the_range_of_every_page(
    browser: Browser, watched: Watched, cookies: list[Any]
) -> None:
    context, found = await open_page(browser, watched, cookies, "")
    plot = found.page.locator(".u-over").first
    box = await plot.bounding_box()
    assert box is not None
    await found.page.mouse.move(box["x"] + 100, box["y"] + 40)
    await found.page.mouse.down()
    await found.page.mouse.move(box["x"] + 300, box["y"] + 40, steps=4)
    await found.page.mouse.up()
    await found.page.wait_for_url("**from=*")
    await found.page.get_by_role("link", name="Traffic", exact=True).click()
    await found.page.get_by_role("heading", name="Traffic", level=1).wait_for()
    assert "from=" in found.page.url
    await context.close()


@in_module
async def test_a_hidden_tab_asks_nothing(browser: Browser, watched: Watched, cookies: list[Any]) -> None:
    context, found = await open_page(browser, watched, cookies, "")
    asked: list[str] = []
    await found.page.evaluate(
        "Object.defineProperty(document, 'hidden', { value: true, configurable: true });"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    await found.page.wait_for_load_state("networkidle")
    found.page.on("request", lambda request: asked.append(request.url))
    await asyncio.sleep(7)  # longer than between two questions
    assert asked == []
    async with found.page.expect_request("**/console/api/state"):
        await found.page.evaluate(
            "Object.defineProperty(document, 'hidden', { value: false, configurable: true });"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )
    await context.close()


FILES_MAX = 40
BYTES_MAX = 250_000


@in_module
async def test_the_first_picture_waits_for_two_style_sheets_and_the_page_for_little_more(
    browser: Browser, watched: Watched, cookies: list[Any]
) -> None:
    context, found = await open_page(browser, watched, cookies, "")
    loaded = await found.page.evaluate(
        "performance.getEntriesByType('resource').filter(({ name }) => name.includes('/assets/'))"
        ".map(({ decodedBodySize }) => decodedBodySize)"
    )
    assert len(loaded) <= FILES_MAX
    assert sum(loaded) <= BYTES_MAX
    await context.close()

    context = await browser.new_context(java_script_enabled=False)
    await context.add_cookies(cookies)
    page = await context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    await page.goto(f"{watched.address}/console")
    await page.locator(".brand").wait_for()
    assert {path for path in asked if path.endswith(".css")} == {
        "/console/assets/vendor/uPlot.css",
        "/console/assets/console.css",
    }
    assert not [path for path in asked if "/api/" in path]
    await context.close()


MANY = 100_000
MULTIPLY = """
(many) => {
  const ask = window.fetch;
  window.fetch = async (address, options) => {
    const response = await ask(address, options);
    if (!String(address).includes("/api/traffic?")) return response;
    const found = await response.json();
    const [one] = found.operations;
    found.operations = Array.from({ length: many }, (_, bytes) => ({ ...one, operation: `books.of_${bytes}`, bytes }));
    return { ok: true, status: 200, json: async () => found };
  };
}
"""


@in_module
async def test_a_table_of_very_many_rows_makes_those_that_are_seen(
    browser: Browser, watched: Watched, cookies: list[Any]
) -> None:
    context, found = await open_page(browser, watched, cookies, "clients", viewport={"width": 1280, "height": 800})
    page = found.page
    await page.add_init_script(f"({MULTIPLY})({MANY})")
    await page.goto(f"{watched.address}/console/traffic?sort=bytes")
    table = page.get_by_role("table", name="Operations")
    await table.wait_for()
    assert await table.get_attribute("aria-rowcount") == str(MANY + 1)
    assert await table.locator("tbody tr").count() < 100
    first = table.locator(".row-link").first
    assert await first.inner_text() == "books.of_0"

    await first.focus()
    await page.keyboard.press("End")
    await table.get_by_text(f"books.of_{MANY - 1}", exact=True).wait_for()
    assert await page.evaluate("document.activeElement.textContent") == f"books.of_{MANY - 1}"
    await page.get_by_role("button", name="Per response").click()
    await page.wait_for_function("document.querySelector('.row-link').textContent === 'books.of_99999'")
    assert found.complaints == []
    await context.close()


@in_module
async def test_what_is_no_longer_known_is_not_shown_as_if_it_were(
    browser: Browser, watched: Watched, cookies: list[Any]
) -> None:
    context, found = await open_page(browser, watched, cookies, "")
    page = found.page
    refusal = json.dumps({"detail": "The monitor does not answer."})
    await page.route("**/console/api/**", lambda route: route.fulfill(status=503, body=refusal))
    await page.locator(".state.unknown").get_by_text("The monitor does not answer. At ").wait_for()
    assert await page.get_by_text(re.compile("^As of .*: The monitor does not answer.$")).is_visible()
    assert "stale" in (await page.locator("main").get_attribute("class") or "")

    await page.unroute("**/console/api/**")
    await page.locator(".state.ok, .state.degraded").wait_for()
    await page.locator("main:not(.stale)").wait_for()
    await context.close()
