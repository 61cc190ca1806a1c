"""The console in a browser where a database of its own is behind it: two instances, of which one falls silent, and
PostgreSQL stopped."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, expect
from tests.acceptance.conftest import wait_for
from tests.conftest import FAST_AND_FORGETFUL
from tests_all.test_browser import Visit, axe, violations
from tests_all.test_console import Watched

from gatepost.embedded.postgresql import EmbeddedPostgreSQL

__all__ = ["axe"]  # the script of axe-core, a fixture

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATIENCE_MS = 30_000.0
APP = "tests_all.console_app:app"
TOKEN = "a-token-of-all-instances-of-this-test"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[EmbeddedPostgreSQL]:
    with EmbeddedPostgreSQL(tmp_path / "postgresql", settings=FAST_AND_FORGETFUL) as server:
        yield server


@pytest.fixture
def environ(database: EmbeddedPostgreSQL) -> dict[str, str]:
    """What instances that share a database have in common."""
    return {
        "DATABASE_URL": database.dsn("gatepost"),
        "GATEPOST_ADMIN_BIND": "127.0.0.1:0",
        "GATEPOST_ADMIN_TOKEN": TOKEN,
    }


async def opened(browser: Browser, watched: Watched) -> tuple[BrowserContext, Visit]:
    """The console of an instance."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE_MS)
    found = Visit(await context.new_page(), watched.address)
    await found.page.goto(watched.once)
    await found.page.get_by_role("heading", name="Now").wait_for()
    return context, found


def watched_at(folder: Path, name: str, environ: dict[str, str]) -> Watched:
    """An instance with records of its own."""
    (folder / name).mkdir()
    return Watched(
        folder / name, **environ, GATEPOST_INSTANCE=name, GATEPOST_RECORDS_FOLDER=str(folder / name / "records")
    )


@pytest.fixture
def instances(tmp_path: Path, environ: dict[str, str]) -> Iterator[tuple[Watched, Watched]]:
    """Two, of which the second alone has had requests."""
    first = watched_at(tmp_path, "web-1", environ)
    try:
        second = watched_at(tmp_path, "web-2", environ)
        try:
            for _ in range(7):
                second.send("POST", "/api/checkout")
            second.send("POST", "/api/checkout?copies=13")
            wait_for(lambda: second.command("errors", "list"), "the group of errors")
            wait_for(lambda: len(first.command("top", "instances")["instances"]) == 2, "both of them")
            yield first, second
        finally:
            second.close()
    finally:
        first.close()


async def test_the_console_shows_another_instance_and_that_it_falls_silent(
    browser: Browser, instances: tuple[Watched, Watched], database: EmbeddedPostgreSQL
) -> None:
    first, second = instances
    context, found = await opened(browser, first)
    page = found.page
    chooser = page.get_by_role("combobox", name="Instance")
    assert await chooser.locator("option").all_inner_texts() == ["web-1", "web-2"]
    await expect(chooser).to_have_value("web-1")

    await chooser.select_option("web-2")
    await page.wait_for_url("**instance=web-2**")
    await expect(page).to_have_title(re.compile("web-2"), timeout=PATIENCE_MS)
    for name in ("Traffic", "Errors", "Clients", "Database", "Alerts", "Logs", "System"):
        await page.get_by_role("link", name=name, exact=True).click()
        await page.get_by_role("heading", name=name, level=1).wait_for()
        assert "instance=web-2" in page.url
        shown = {
            "Traffic": page.locator("a.row-link[href*='checkout.check_out']"),
            "Errors": page.locator(".groups li", has_text="SoldOut"),
            "Clients": page.get_by_role("table", name="Clients").locator("tbody tr"),
            "Database": page.get_by_role("table", name="Sizes of tables").get_by_text("books", exact=True),
            "Alerts": page.locator(".budgets li", has_text="checkout"),
            "Logs": page.locator("li.line", has_text="/api/checkout"),
            "System": page.locator(".workers li", has_text=str(second.command("top")["workers"][0]["pid"])),
        }
        await shown[name].first.wait_for()
    assert found.complaints == []

    os.killpg(second.server.process.pid, signal.SIGKILL)
    await page.get_by_role("link", name="Now", exact=True).click()
    silent = re.compile(r"^As of .*: web-2 does not answer at 127\.0\.0\.1:\d+\.$")
    await page.locator(".late-note", has_text=silent).wait_for()
    await page.locator(".state.unknown").get_by_text("web-2 does not answer").wait_for()
    aged = "UPDATE gatepost.instances SET beat_at = beat_at - interval '2 min' WHERE name = 'web-2'"
    database.execute(aged, database="gatepost")
    await page.goto(f"{first.address}/console/system")
    row = page.get_by_role("table", name="Instances").locator("tr", has_text="web-2")
    await row.get_by_text("silent", exact=True).wait_for()
    await page.reload()
    await chooser.locator("option", has_text="web-2 (silent)").wait_for(state="attached")
    await context.close()


async def test_the_admin_port_asks_a_browser_for_the_token_once(
    browser: Browser, tmp_path: Path, environ: dict[str, str], axe: str
) -> None:
    watched = watched_at(tmp_path, "web-1", environ)
    try:
        [own] = watched.command("top", "instances")["instances"]
        address = f"http://{own['admin_address']}"
        context = await browser.new_context(viewport={"width": 1280, "height": 800})
        context.set_default_timeout(PATIENCE_MS)
        found = Visit(await context.new_page(), address)
        page = found.page
        await page.goto(f"{address}/console/traffic?range=15m")
        await page.get_by_label("Token").fill("wrong")
        await page.get_by_label("Your name").fill("Ada")
        assert await violations(page, axe) == []
        await page.keyboard.press("Enter")
        await page.get_by_role("alert").get_by_text("This is not the token of the admin listener.").wait_for()
        assert [each for each in found.complaints if "403" not in each] == []
        found.complaints.clear()

        await page.get_by_label("Token").fill(TOKEN)
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_role("heading", name="Traffic", level=1).wait_for()
        await page.locator(".state.ok, .state.degraded").wait_for()
        assert page.url == f"{address}/console/traffic?range=15m"
        assert TOKEN not in await page.content() + await page.evaluate("document.cookie")
        cookie: Any
        [cookie] = await context.cookies()
        assert (cookie["path"], cookie["httpOnly"], cookie["sameSite"]) == ("/console", True, "Strict")
        assert TOKEN not in cookie["value"]

        await page.goto(f"{address}/console/clients")
        await page.get_by_role("button", name="Reveal").click()
        await page.get_by_role("dialog").locator("button[type=submit]").click()
        wait_for(lambda: "Ada, by the token" in str(watched.command("changes")), "the change")
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_label("Token").wait_for()
        assert found.complaints == []
        await context.close()
    finally:
        watched.close()


async def test_advice_has_the_sql_and_the_migration_to_copy(
    browser: Browser, database: EmbeddedPostgreSQL, tmp_path: Path, environ: dict[str, str], axe: str
) -> None:
    watched = watched_at(tmp_path, "web-1", environ)
    try:
        database.execute("CREATE INDEX once_more ON books (title, id)", database="gatepost")
        database.execute("DROP INDEX ix_books_title_trgm", database="gatepost")
        context, found = await opened(browser, watched)
        await context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = found.page
        await page.goto(f"{watched.address}/console/database")
        advice = page.get_by_role("region", name="Advice")
        await advice.locator("li").first.wait_for()
        pieces = {each["index"]: each for each in watched.command("db", "advise", "--app", APP)["advice"]}
        assert {each["problem"] for each in pieces.values()} == {"missing", "duplicate"}
        await expect(advice.locator("li")).to_have_count(len(pieces))
        for index, piece in pieces.items():
            shown = advice.locator("li").filter(has_text=index)
            for reason in piece["reasons"]:
                await expect(shown).to_contain_text(reason)
            await shown.get_by_role("button", name="Copy", exact=True).click()
            await expect(shown.get_by_text("Copied")).to_be_visible()
            assert await page.evaluate("navigator.clipboard.readText()") == f"{piece['statement']};"
            await shown.get_by_text("As a migration").click()
            await shown.get_by_role("button", name="Copy the migration").click()
            assert await page.evaluate("navigator.clipboard.readText()") == piece["migration"]
            assert piece["statement"] in piece["migration"]
        assert await violations(page, axe) == []
        assert found.complaints == []
        await context.close()
    finally:
        watched.close()


async def test_while_postgresql_is_stopped_the_console_works(
    browser: Browser, database: EmbeddedPostgreSQL, tmp_path: Path, environ: dict[str, str]
) -> None:
    watched = watched_at(tmp_path, "web-1", environ)
    try:
        watched.send("POST", "/api/checkout?copies=13")
        watched.send("GET", "/api/books")
        wait_for(lambda: watched.command("errors", "list"), "the group of errors")
        context, found = await opened(browser, watched)
        page = found.page
        await page.goto(f"{watched.address}/console/database")
        sizes = page.get_by_role("table", name="Sizes of tables")
        await sizes.get_by_text("books", exact=True).wait_for()

        database.stop()
        away = page.get_by_role("status").filter(has_text="The database does not answer since")
        await away.get_by_text("Sessions and sizes are those of").wait_for()
        assert await sizes.get_by_text("books", exact=True).is_visible()
        watched.send("GET", "/api/books")
        await expect(page.locator(".state.degraded, .state.down")).to_contain_text(
            "The database cannot be reached", timeout=PATIENCE_MS
        )

        expected: dict[str, tuple[str, str]] = {
            "": (".tile-note", " in "),
            "traffic": ("a.row-link[href*='checkout.check_out']", "/api/checkout"),
            "traffic/checkout.check_out": (".figures-row b", "1"),
            "errors": (".groups li", "SoldOut"),
            "clients": ("table[aria-label=Clients] tbody tr", "127.0"),
            "alerts": (".groups li", "database"),
            "logs": ("li.line", "/api/books"),
            "system": (".workers li", "ready"),
            "system?tab=changes": ("table[aria-label=Changes] tbody tr", "database"),
        }
        for path, (place, text) in expected.items():
            await page.goto(f"{watched.address}/console/{path}")
            await page.locator(place, has_text=text).first.wait_for()
            await page.locator("main:not(.stale)").wait_for()
        await page.goto(f"{watched.address}/console/database")
        await away.get_by_text("Sessions and sizes are those of").wait_for()
        await sizes.get_by_text("books", exact=True).wait_for()
        assert [each for each in found.complaints if "503" not in each] == []
        await context.close()
    finally:
        watched.close()
