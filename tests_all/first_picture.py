"""How long a browser waits for the first picture of the console through `gatepost console`: `python -m
tests_all.first_picture`. Each visit is that of a browser which has nothing of the page yet, then it is loaded again."""

import argparse
import asyncio
import os
import statistics
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page
from tests_all.chromium import chromium

_FIRST_PICTURE = """
new Promise((resolve) => {
  new PerformanceObserver((list) => {
    for (const { name, startTime } of list.getEntries()) if (name === "first-contentful-paint") resolve(startTime);
  }).observe({ type: "paint", buffered: true });
})
"""


async def first_picture_ms(page: Page) -> float:
    """When it was drawn, after the browser began to ask for the page."""
    found: float = await page.evaluate(_FIRST_PICTURE)
    return found


@asynccontextmanager
async def visited(browser: Browser, address: str, cookies: list[Any]) -> AsyncGenerator[Page]:
    """The console in a browser that has nothing of it yet but its cookie."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    await context.add_cookies(cookies)
    page = await context.new_page()
    await page.goto(f"{address}/console")
    await page.get_by_role("heading", name="Now").wait_for()
    yield page
    await context.close()


async def measure(once: str, visits: int) -> tuple[list[float], list[float]]:
    """The milliseconds of first visits, and of the same pages loaded again."""
    first: list[float] = []
    again: list[float] = []
    address = once.partition("/console")[0]
    async with chromium() as browser:
        context = await browser.new_context()
        await (await context.new_page()).goto(once)
        cookies = await context.cookies()
        await context.close()
        for _ in range(visits):
            async with visited(browser, address, cookies) as page:
                first.append(await first_picture_ms(page))
                await page.reload()
                again.append(await first_picture_ms(page))
    return first, again


def main() -> None:
    """Measure and print."""
    from tests_all.test_console import Watched

    parser = argparse.ArgumentParser(prog="python -m tests_all.first_picture", description=__doc__)
    parser.add_argument("--visits", type=int, default=20, help="how many browsers (default: 20)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gatepost-console-") as folder:
        watched = Watched(Path(folder))
        try:
            first, again = asyncio.run(measure(watched.once, options.visits))
        finally:
            watched.close()
    for words, found in (("first visits", first), ("loaded again", again)):
        print(f"{words}: median {statistics.median(found):.0f} ms, {min(found):.0f} to {max(found):.0f} ms")
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
