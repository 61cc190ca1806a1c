"""Takes the pictures in `docs/images` of a bookshop that `make run` serves: `python -m tests_all.pictures`."""

import argparse
import asyncio
from pathlib import Path
from typing import Any, NamedTuple

from examples.bookshop.accounts import EDITOR, PASSWORD
from playwright.async_api import Browser, Page, async_playwright

CHROMIUM = "/usr/bin/chromium"
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
    """Take all pictures."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for picture in PICTURES:
            await take(picture, browser, address)
        await browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", nargs="?", default="http://127.0.0.1:8000", help="where the bookshop is served")
    asyncio.run(take_all(parser.parse_args().address))
