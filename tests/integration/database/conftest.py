"""Fixtures of the tests of the database layer."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.database.embedded_scenes import SMALL, processes_of, wait_until

from gatepost.database.embedded import EmbeddedPostgreSQL


@pytest.fixture(scope="session")
def stopped_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a stopped server with one table: initdb takes half a second, a copy of the folder much less."""
    folder = tmp_path_factory.mktemp("embedded") / "data"
    with EmbeddedPostgreSQL(folder, settings=SMALL) as server:
        server.execute("CREATE TABLE kept AS SELECT 42 AS answer", database="gatepost")
    return folder


@pytest.fixture
def data(stopped_folder: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the stopped folder, with its owners; no server is left in it by the test."""
    copy = tmp_path / "data"
    sparse = ["--sparse=always"] if sys.platform == "linux" else []  # most of a new WAL file is empty
    subprocess.run(["cp", "-a", *sparse, stopped_folder, copy], check=True)
    yield copy
    wait_until(lambda: not processes_of(copy))
