"""`gatepost doctor` checks for the environment of the server that runs, or says which one it assumes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gatepost.cli.doctor_environment import examine_environment
from gatepost.cli.doctor_findings import DoctorFinding
from gatepost.environment import load_settings
from gatepost.events import Events
from gatepost.monitor.admin import AdminServer, open_socket
from gatepost.monitor.page_table import PageTable, json_page

Examine = Callable[..., DoctorFinding]


@pytest.fixture
def examine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Examine:
    monkeypatch.setenv("GATEPOST_ADMIN_SOCKET", str(tmp_path / "admin.sock"))

    def run(**environ: str) -> DoctorFinding:
        return examine_environment(load_settings(environ), environ)

    return run


@pytest.fixture
def in_production(tmp_path: Path, examine: Examine) -> Iterator[None]:
    """A server that says that it is in production."""
    settings = [{"variable": "GATEPOST_ENV", "value": "production", "unit": "", "source": "environment"}]
    table = PageTable(Events())
    table.add("GET", "/application", lambda request: json_page(200, {"instance": "web-1", "settings": settings}))
    server = AdminServer(open_socket(tmp_path / "admin.sock"), table.find, None)
    server.start()
    yield
    server.shutdown()
    server.server_close()


def test_without_a_server_it_says_what_it_assumes(examine: Examine) -> None:
    assert examine() == DoctorFinding(
        "environment",
        True,
        "development, because GATEPOST_ENV is not set; no server runs at port 8000 that could tell",
    )
    named = examine(GATEPOST_ENV="production", GATEPOST_PORT="8700")
    assert named.detail == "production, as GATEPOST_ENV says; no server runs at port 8700 that could tell"


@pytest.mark.usefixtures("in_production")
def test_the_server_that_runs_says_which_it_is(examine: Examine) -> None:
    found = examine()
    assert (found.ok, found.is_warning) == (False, True)
    assert found.detail == "the server web-1, which runs, is in production; these are the checks for development"
    assert "GATEPOST_ENV=production gatepost doctor" in (found.hint or "")
    assert examine(GATEPOST_ENV="production").detail == "production, as that of the server web-1, which runs"
