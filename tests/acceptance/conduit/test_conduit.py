"""`examples/conduit` on a real server gives what RealWorld's specification asks for, and what its document says."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.acceptance.conduit.player import failures
from tests.acceptance.conduit.scenarios import SCENARIOS
from tests.acceptance.conduit.steps import Scenario
from tests.acceptance.conftest import SECONDS_MAX, Running, wait_for, without_settings
from tests.described_responses import DescribedResponses

EXAMPLES = Path(__file__).parents[3] / "examples"


class Differences:
    """What the responses of a server have that its document does not describe."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", "from gatepost.cli.main import main; main()"]
        printed = subprocess.run(
            [*command, "openapi", "--app", "examples.conduit.conduit:app"],
            cwd=EXAMPLES.parent,
            capture_output=True,
            check=True,
            timeout=SECONDS_MAX,
        )
        self._described = DescribedResponses(json.loads(printed.stdout))
        self.found: list[str] = []

    def add(self, response: httpx.Response) -> None:
        """Look at a response. Its refusals have the form of the dialect, without a code."""
        method, path, status = response.request.method, response.request.url.path, response.status_code
        code = "unknown" if status >= 400 else None
        self.found += self._described.undescribed(method, path, status, response.headers, code, is_own=True)
        content_type = response.headers.get("content-type", "")
        self.found += self._described.misfits(method, path, status, content_type, response.read())


@pytest.fixture(scope="module")
def differences() -> Differences:
    """What has been found in the responses so far."""
    return Differences()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, differences: Differences) -> Iterator[httpx.Client]:
    """HTTP to `gatepost dev` with the example, in a folder of its own: what is reloaded and kept is there."""
    folder = tmp_path_factory.mktemp("conduit")
    shutil.copytree(EXAMPLES / "conduit", folder / "examples" / "conduit", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "examples" / "__init__.py").touch()
    server = Running(["dev", "examples.conduit.conduit:app", "--port", "0"], folder, without_settings(), "conduit")
    try:
        # A development server stays when the application has a mistake, and says which.
        wait_for(lambda: server.responds("/readyz", 200) or "Error: " in server.output, "the application")
        assert server.responds("/readyz", 200), server.output
        hooks = {"response": [differences.add]}
        url = f"http://127.0.0.1:{server.port}"
        with httpx.Client(base_url=url, timeout=SECONDS_MAX, event_hooks=hooks) as http:
            yield http
    finally:
        server.close()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[scenario.name for scenario in SCENARIOS])
def test_conduit_answers_as_it_is_specified(scenario: Scenario, client: httpx.Client, differences: Differences) -> None:
    found = failures(scenario, client)
    undescribed, differences.found = differences.found, []
    assert undescribed == []
    wrong = len({sentence.partition(".")[0] for sentence in found})
    assert not found, f"{wrong} of {len(scenario.steps)} responses differ:\n" + "\n".join(found)
