"""`examples/conduit` on a real server gives what RealWorld's specification asks for."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.acceptance.conduit.player import failures
from tests.acceptance.conduit.scenarios import SCENARIOS
from tests.acceptance.conduit.steps import Scenario
from tests.acceptance.conftest import SECONDS_MAX, Running, wait_for, without_settings

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """HTTP to `gatepost dev` with the example, in a folder of its own: what is reloaded and kept is there."""
    folder = tmp_path_factory.mktemp("conduit")
    shutil.copytree(EXAMPLES / "conduit", folder / "examples" / "conduit", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "examples" / "__init__.py").touch()
    server = Running(["dev", "examples.conduit.conduit:app", "--port", "0"], folder, without_settings(), "conduit")
    try:
        # A development server stays when the application has a mistake, and says which.
        wait_for(lambda: server.responds("/readyz", 200) or "Error: " in server.output, "the application")
        assert server.responds("/readyz", 200), server.output
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=SECONDS_MAX) as http:
            yield http
    finally:
        server.close()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[scenario.name for scenario in SCENARIOS])
def test_conduit_answers_as_it_is_specified(scenario: Scenario, client: httpx.Client) -> None:
    found = failures(scenario, client)
    wrong = len({sentence.partition(".")[0] for sentence in found})
    assert not found, f"{wrong} of {len(scenario.steps)} responses differ:\n" + "\n".join(found)
