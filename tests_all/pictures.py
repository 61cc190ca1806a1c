"""Takes the pictures in `docs/images`: of a bookshop that `make run` serves, `python -m tests_all.pictures`, and of the
console, `python -m tests_all.pictures --console ADDRESS` with the address that `python -m tests_all.incident` prints,
ten minutes later. `--empty ADDRESS` is that of `gatepost console` of a server that nobody has asked for anything;
`--only NAME` takes those of such a name."""

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from examples.bookshop.accounts import EDITOR, PASSWORD
from playwright.async_api import Browser, Page
from tests_all.chromium import chromium

FOLDER = Path(__file__).parents[1] / "docs" / "images"


class Picture(NamedTuple):
    """A page as one kind of reader sees it, in pixels; on `/docs` an editor where `is_signed_in`."""

    name: str
    path: str
    scheme: Any
    width: int
    height: int
    is_signed_in: bool = False


PICTURES = (
    Picture("start-light", "/", "light", 1000, 720),
    Picture("start-dark", "/", "dark", 1000, 720),
    Picture("start-phone", "/", "light", 390, 800),
    Picture("docs-light", "/docs", "light", 1000, 720, is_signed_in=True),
    Picture("docs-dark", "/docs", "dark", 1000, 720, is_signed_in=True),
    Picture("docs-phone", "/docs", "light", 390, 800),
)
OPERATION = "/console/traffic/checkout.check_out?range=15m"
CONSOLE_PICTURES = (
    Picture("console-now-light", "/console?range=15m", "light", 1280, 800),
    Picture("console-now-dark", "/console?range=15m", "dark", 1280, 800),
    Picture("console-now-phone", "/console?range=15m", "light", 390, 844),
    Picture("console-traffic-light", "/console/traffic?range=15m", "light", 1280, 800),
    Picture("console-traffic-dark", "/console/traffic?range=15m", "dark", 1280, 800),
    Picture("console-operation-light", OPERATION, "light", 1280, 450),
    Picture("console-operation-phone", OPERATION, "dark", 390, 844),
    Picture("console-error-light", "/console/errors/{error}?range=15m", "light", 1280, 800),
    Picture("console-errors-light", "/console/errors?tab=refusals&code=out_of_stock&range=15m", "light", 1280, 800),
    Picture("console-database-light", "/console/database?range=15m", "light", 1280, 800),
    Picture("console-clients-light", "/console/clients", "light", 1280, 800),
    Picture("console-alerts-light", "/console/alerts", "light", 1280, 800),
    Picture("console-logs-dark", "/console/logs?range=15m&level=warning", "dark", 1280, 800),
    Picture("console-system-light", "/console/system", "light", 1280, 800),
)
EMPTY_PICTURES = (Picture("console-empty-light", "/console", "light", 1280, 800),)
DRAWN_MS = 1500
"""How long the console takes at most to ask for what it shows, and to draw it."""


async def take(picture: Picture, browser: Browser, address: str) -> None:
    """Take one picture."""
    viewport: Any = {"width": picture.width, "height": picture.height}
    page = await browser.new_page(color_scheme=picture.scheme, viewport=viewport)
    await page.goto(address + picture.path)
    await page.wait_for_selector(".opblock" if picture.path == "/docs" else "table")
    if picture.is_signed_in:
        await sign_in(page)
    await page.screenshot(path=FOLDER / f"{picture.name}.png")
    await page.close()


async def sign_in(page: Page) -> None:
    """Sign in as the editor, and wait for what editors may do."""
    await page.fill("#sign-in [name=email]", EDITOR)
    await page.fill("#sign-in [name=password]", PASSWORD)
    await page.click("#sign-in [type=submit]")
    await page.locator(".opblock-post", has_text="/api/books").wait_for()


async def take_all(address: str) -> None:
    """Take all pictures of a bookshop."""
    async with chromium() as browser:
        for picture in PICTURES:
            await take(picture, browser, address)


async def take_console(once: str, pictures: Sequence[Picture]) -> None:
    """Take these pictures of a console, whose address works once."""
    address = "{0.scheme}://{0.netloc}".format(urlsplit(once))
    async with chromium() as browser:
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(once)
        await page.get_by_role("heading", name="Now").wait_for()
        found = await (await context.request.get(f"{address}/console/api/errors")).json()
        error = next((each["id"] for each in found["errors"]), "")
        for picture in pictures:
            await page.emulate_media(color_scheme=picture.scheme)
            await page.set_viewport_size({"width": picture.width, "height": picture.height})
            await page.goto(address + picture.path.format(error=error))
            await page.locator("main[aria-busy=false] h1").wait_for()
            await page.wait_for_timeout(DRAWN_MS)
            await page.screenshot(path=FOLDER / f"{picture.name}.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", nargs="?", default="http://127.0.0.1:8000", help="where the bookshop is served")
    parser.add_argument("--console", help="the address that gatepost console has printed")
    parser.add_argument("--empty", help="the same, of a server that nobody has asked for anything")
    parser.add_argument("--only", default="", help="take those pictures of the console whose name this is part of")
    options = parser.parse_args()
    if once := options.console or options.empty:
        chosen = CONSOLE_PICTURES if options.console else EMPTY_PICTURES
        asyncio.run(take_console(once, [each for each in chosen if options.only in each.name]))
    else:
        asyncio.run(take_all(options.address))
