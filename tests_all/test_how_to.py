"""The programs of the how-to pages, each run as the project that its page describes."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatepost.embedded.postgresql import EmbeddedPostgreSQL

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "how-to"
TEMPLATE = ROOT / "src" / "gatepost" / "cli" / "template"
FILE = re.compile(r"^```python title=\"([^\"]+)\"\n(.*?)^```$", re.M | re.S)
FIXTURES = """
import pytest_asyncio
from app import app
from gatepost.testing import TestApp

@pytest_asyncio.fixture
async def running():
    async with TestApp(app, {url!r}) as started:
        yield started
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgreSQL]:
    with EmbeddedPostgreSQL(tmp_path_factory.mktemp("postgresql"), settings={"fsync": "off"}) as started:
        yield started


@pytest.mark.parametrize(
    "page",
    [
        "use-your-own-users",
        "use-your-own-base",
        "write-a-policy",
        "keep-tenants-apart",
        "write-own-endpoints",
        "shape-responses-and-bodies",
        "stream-events",
        "send-files",
        "speak-another-dialect",
        "version-your-api",
        "delete-softly",
        "use-enums",
        "give-documents-a-form",
        "tag-rows",
        "share-column-types",
        "test-an-app",
        "test-an-app-under-faults",
        "authenticate-in-other-ways",
        "watch-a-server",
        "alerts",
    ],
)
def test_a_page_works(page: str, tmp_path: Path, server: EmbeddedPostgreSQL) -> None:
    files = dict(FILE.findall((PAGES / f"{page}.md").read_text()))
    database = page.replace("-", "_")
    server.execute(f"CREATE DATABASE {database}")
    (tmp_path / "tests").mkdir()
    (tmp_path / "pyproject.toml").write_text((TEMPLATE / "pyproject.toml.txt").read_text().replace("{{name}}", "shop"))
    (tmp_path / "app.py").write_text((TEMPLATE / "app.py.txt").read_text().replace("{{name}}", "shop"))
    (tmp_path / "tests" / "conftest.py").write_text(FIXTURES.format(url=server.dsn(database)))
    for name, text in files.items():
        assumes = "running: TestApp" in text and "import TestApp" not in text
        (tmp_path / name).write_text(f"from gatepost.testing import TestApp\n{text}" if assumes else text)
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"]

    environ = {**os.environ, "PYTEST_DEBUG_TEMPROOT": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
