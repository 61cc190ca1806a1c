"""docs/reference/faults.md: its table is that of `faults.py`, and clients see what it says, in a real topology."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import faults
import msgspec
import pytest
import pytest_asyncio
from faults import APP, DISK_FAULTS, FAULTS, PATH, TITLES, Fault

from gatepost.errors import ConfigurationError
from gatepost.testing.topology import Attempt, History, Site, topology

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "faults.md"
NAMESPACE = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--mount", "--keep-caps"]


class Seen(msgspec.Struct):
    """What `full_disk.py` prints."""

    attempts: list[Attempt]
    keys: list[str]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("app")
    (folder / "app.py").write_text(APP)
    async with topology(
        "app:app",
        instances=2,
        standbys=1,
        synchronous=True,
        balancer=True,
        valkey=True,
        folder=folder,
        GATEPOST_DATABASE_STATEMENT_SECONDS="2",
        GATEPOST_DATABASE_CONNECT_SECONDS="2",
    ) as started:
        yield started


def test_the_page_has_the_table() -> None:
    assert faults.table() in PAGE.read_text(), "write what `python tests_all/faults.py` prints"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_clients_see_what_the_page_says(fault: Fault, site: Site) -> None:
    for instance in site.instances:
        await site.balancer.sees(instance)
    async with site.load(PATH, lambda key: {"title": key}) as history:
        await history.acknowledges(10)
        await fault.act(site, history)
        await history.acknowledges(10)
    verdict = history.verdict(await site.column(TITLES))
    assert verdict.holds, verdict
    assert not fault.contradiction(history)


@pytest.mark.parametrize("kind", DISK_FAULTS)
def test_clients_see_what_the_page_says_of_a_full_disk(kind: str) -> None:
    command = [*NAMESPACE, sys.executable, str(ROOT / "tests_all" / "full_disk.py"), kind]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stderr
    seen = msgspec.json.decode(done.stdout, type=Seen)
    history = History()
    history.attempts = seen.attempts
    verdict = history.verdict(seen.keys)
    assert verdict.holds, verdict
    assert not DISK_FAULTS[kind].contradiction(history)


async def test_the_verdict_finds_what_an_asynchronous_standby_lacks(tmp_path: Path) -> None:
    """What all the rows above would say if it were so."""
    (tmp_path / "app.py").write_text(APP)
    async with topology("app:app", standbys=1, folder=tmp_path) as site:
        async with site.load(PATH, lambda key: {"title": key}) as history:
            await history.acknowledges(10)
            site.cut(site.primary, site.standbys[0])
            await history.acknowledges(10)
            site.primary.kill()
            await site.promote(site.standbys[0])
            await history.acknowledges(10)
        verdict = history.verdict(await site.column(TITLES))
    assert len(verdict.lost) >= 10
    assert not verdict.doubled


async def test_an_app_that_does_not_start_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("app = None\n")
    with pytest.raises(ConfigurationError, match=r"is a NoneType, not a gatepost\.App"):
        async with topology("app:app", folder=tmp_path):
            pass
