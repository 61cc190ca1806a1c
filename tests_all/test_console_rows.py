"""Each page of the console with nothing in it, with a row of everything, and with as many as an instance keeps: light,
dark and on a phone. It fits, is accessible, stays where it is, and neither its size nor its time grow with the rows."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from tests.acceptance.conftest import wait_for
from tests_all.full_records import full_database, send_requests, write_records
from tests_all.test_browser import Visit, axe, violations
from tests_all.test_console import Watched

__all__ = ["axe"]  # the script of axe-core, a fixture

in_module = pytest.mark.asyncio(loop_scope="module")

PAGES = (
    *("", "traffic", "traffic/books.list", "errors", "errors/{error}", "errors?tab=refusals", "database", "clients"),
    *("alerts", "logs", "system", "system?tab=changes"),
)
EMPTY = tuple(path for path in PAGES if "{error}" not in path)
"""Those that are there without any rows."""
FIXED = ("system?tab=settings", "system?tab=levels", "system?tab=licences")
"""What they have is always as much."""
WIDTHS = (1280, 390)

SHIFT_MAX = 0.05
ELEMENTS_MAX = 3_000
BYTES_MAX = 1_000_000
"""Of all answers that a page asks for."""
SECONDS_MAX = 1.0
"""Of the browser's CPU, until a page is shown."""
ANSWERED_MS_MAX = 1_000
"""After so long a page shows itself without what has not come yet, and that moves what stands there."""
LOADS_MAX = 3

_WATCH = """
window.shift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""
_SEEN = """
new Promise((resolve) => setTimeout(resolve, 150)).then(() => {
  const answers = performance.getEntriesByType("resource").filter(({ name }) => name.includes("/console/api/"));
  return {
    shift,
    width: document.documentElement.scrollWidth,
    elements: document.querySelectorAll("*").length,
    bytes: answers.reduce((sum, { decodedBodySize }) => sum + decodedBodySize, 0),
    answered: Math.max(...answers.map(({ responseEnd }) => responseEnd)),
    // Of each chart, what its series look like without any colour.
    shapes: [...document.querySelectorAll("ul.series")].map((list) => [...list.querySelectorAll("svg")].map(
      (each) => each.outerHTML.replace(/ (stroke|fill|class|style)="[^"]*"/g, ""))),
  };
})
"""


class Console:
    """A server with so many rows, and a browser's page for it. `error` is the id of a group of errors, empty where
    there is none."""

    def __init__(self, watched: Watched, visit: Visit, session: Any, error: str) -> None:
        self.error = error
        self._watched = watched
        self._visit = visit
        self._session = session

    async def look(self, path: str, axe: str) -> list[str]:
        """What is wrong with a page: light, dark, and on a phone."""
        page, address = self._visit.page, f"{self._watched.address}/console/{path.format(error=self.error)}"
        self._visit.complaints.clear()
        found: list[str] = []
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 800})
            found += [f"{width} pixels: {each}" for each in await self._load(address, width)]
            found += await violations(page, axe)
            if width == WIDTHS[0]:
                await page.emulate_media(color_scheme="dark")
                found += [f"dark: {each}" for each in await violations(page, axe, ["cat.color"])]
                await page.emulate_media(color_scheme="light")
        return [*found, *self._visit.complaints]

    async def _load(self, address: str, width: int) -> list[str]:
        page = self._visit.page
        seen: dict[str, Any] = {}
        for _ in range(LOADS_MAX):
            await page.goto("about:blank")
            before = await self._cpu_seconds()
            await page.goto(address)
            await page.locator("main[aria-busy=false] h1").wait_for()
            await page.locator(".state.ok, .state.degraded, .state.down").wait_for()
            seen = {**await page.evaluate(_SEEN), "seconds": await self._cpu_seconds() - before}
            if seen["answered"] <= ANSWERED_MS_MAX:
                break
        else:
            seen["shift"] = 0  # the machine has too much else to do: what comes so late may move the page
        bounds = {
            "shift": SHIFT_MAX, "width": width, "elements": ELEMENTS_MAX, "bytes": BYTES_MAX, "seconds": SECONDS_MAX
        }  # fmt: skip
        same = [each for each in seen["shapes"] if len(set(each)) < len(each)]
        found = [f"{name} {seen[name]} > {most}" for name, most in bounds.items() if seen[name] > most]
        return [*found, *(f"series that look the same: {each}" for each in same)]

    async def _cpu_seconds(self) -> float:
        """What the thread of the page has taken so far."""
        metrics = await self._session.send("Performance.getMetrics")
        return sum(each["value"] for each in metrics["metrics"] if each["name"] == "TaskDuration")


@asynccontextmanager
async def opened(browser: Browser, watched: Watched) -> AsyncGenerator[Console]:
    """The console of a server."""
    context = await browser.new_context(color_scheme="light")
    await context.add_init_script(_WATCH)
    visit = Visit(await context.new_page(), watched.address)
    await visit.page.goto(watched.once)
    await visit.page.get_by_role("heading", name="Now").wait_for()
    session: Any = await context.new_cdp_session(visit.page)
    await session.send("Performance.enable", {"timeDomain": "threadTicks"})
    errors = watched.command("errors", "list")
    yield Console(watched, visit, session, errors[0]["id"] if errors else "")
    await context.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def consoles(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Console]]:
    """Of three servers, by how much they have: nothing, one of everything, all that an instance keeps."""
    async with AsyncExitStack() as stack:
        folders = {rows: tmp_path_factory.mktemp(rows) for rows in ("none", "one", "many")}
        data = folders["many"] / ".gatepost"

        def start(rows: str, **settings: str) -> Watched:
            found = Watched(folders[rows], **settings)
            stack.callback(found.close)
            return found

        none, one, _ = await asyncio.gather(
            asyncio.to_thread(start, "none"),
            asyncio.to_thread(start, "one"),
            asyncio.to_thread(write_records, data / "records" / "full", data / "logs"),
        )
        for method, target in (("GET", "books"), ("GET", "books?nope=1"), ("POST", "checkout?copies=13")):
            one.send(method, f"/api/{target}")
        wait_for(lambda: one.command("errors", "list"), "the group of errors")
        many = await asyncio.to_thread(start, "many", GATEPOST_INSTANCE="full", GATEPOST_TRUSTED_PROXIES="127.0.0.1")
        await stack.enter_async_context(full_database(data / "postgresql" / "socket"))
        await asyncio.to_thread(send_requests, many.port)
        yield {
            rows: await stack.enter_async_context(opened(browser, watched))
            for rows, watched in {"none": none, "one": one, "many": many}.items()
        }


@in_module
@pytest.mark.parametrize(
    ("rows", "path"),
    [
        *itertools.product(("one", "many"), PAGES),
        *itertools.product(("none",), EMPTY),
        *itertools.product(("one",), FIXED),
    ],
)
async def test_a_page_holds_with_any_number_of_rows(
    consoles: dict[str, Console], axe: str, rows: str, path: str
) -> None:
    assert await consoles[rows].look(path, axe) == []
