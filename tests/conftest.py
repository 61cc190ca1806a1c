"""Fixtures that every test may use: one embedded PostgreSQL for the session, a new database for a test."""

import gc
import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from sqlalchemy import MetaData
from tests.databases import Databases
from tests.documented_params import check_params
from tests.memory_folder import memory_folder
from tests.recorded_responses import RecordedResponses
from tests.sampled_cases import SampledCases, left_out

from gatepost.call import Response
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.errors import Problem
from gatepost.gateway import gate

# A test's data need not survive the machine; kill -9 of the server it survives all the same.
FAST_AND_FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

# Hypothesis gives an example 200 ms, which is a bound on time that a busy machine does not keep.
settings.register_profile("suite", deadline=None, max_examples=30)
settings.register_profile("soak", deadline=None, max_examples=3000)
settings.load_profile("suite")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's job in the background inherits that, and so would every command that a test interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--debian` runs what needs a database, but no control of its server, on Debian's PostgreSQL."""
    parser.addoption("--debian", action="store_true", help="use Debian's PostgreSQL instead of the embedded one")
    parser.addoption("--every-case", action="store_true", help="try the whole tables that are else sampled")


def pytest_collection() -> None:
    """What importing the test modules makes stays: the garbage collector need not look at it again and again."""
    gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)  # tests make much that lives shortly: with Python's own, a tenth of their time
    gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """With -q, pytest-randomly does not say how to repeat its order."""
    if (seed := seed_of(terminalreporter.config)) is not None:
        terminalreporter.write_line(f"The order and the samples are repeated by --randomly-seed={seed}.")


def seed_of(config: pytest.Config) -> object:
    """The seed of the order of tests."""
    return config.getoption("randomly_seed", None)


def pytest_itemcollected(item: pytest.Item) -> None:
    """`-m sampled` selects what goes through samples, in whichever way."""
    if "sampled_cases" in getattr(item, "fixturenames", ()):
        item.add_marker("sampled")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of large tables a sample is left, in which the expensive kinds come first."""
    if not config.getoption("--every-case"):
        out = left_out(items, seed_of(config))
        config.hook.pytest_deselected(items=[item for item in items if item in out])
        items[:] = [item for item in items if item not in out]
    put_expensive_first(items)


def put_expensive_first(items: list[pytest.Item]) -> None:
    """Where whole files run side by side, the cheap kinds then fill the gaps at the end."""
    kinds = ["acceptance", "integration", "unit"]
    folder = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        return kinds.index(item.path.relative_to(folder).parts[0]) if folder in item.path.parents else 0

    items.sort(key=place)


def process_state() -> dict[str, object]:
    """What a test could change for all that follow it in its process."""
    root = logging.getLogger()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE, signal.SIGUSR1)
    linux = sys.platform == "linux"
    return {
        "environment": {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"},
        "folder": Path.cwd(),
        "signals": {number.name: signal.getsignal(number) for number in signals},
        "handlers of the root logger": list(root.handlers),
        "level of the root logger": root.level,
        "affinity": os.sched_getaffinity(0) if linux else None,
        "scheduling": (os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)) if linux else None,
        "import path": list(sys.path),
    }


@pytest.fixture(autouse=True)
def process_stays_as_it_is() -> Iterator[None]:
    """Fails a test that leaves its process changed: in random order the tests that follow would not know why."""
    before = process_state()
    yield
    assert process_state() == before


@pytest.fixture(autouse=True, scope="session")
def errors_have_their_documented_params() -> Iterator[None]:
    """Fails a request that is refused with other `params` than the page of errors says, in whatever test."""
    render = gate.render

    def checked(problem: Problem, *arguments: Any) -> Response:
        check_params(problem.errors)
        return render(problem, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate, "render", checked)
        yield


@pytest.fixture(autouse=True, scope="session")
def recorded_responses() -> Iterator[RecordedResponses]:
    """Records the responses of all apps that run in this process."""
    recorded = RecordedResponses()
    with pytest.MonkeyPatch.context() as patch:
        recorded.install(patch)
        yield recorded


@pytest.fixture(autouse=True)
def responses_are_described(recorded_responses: RecordedResponses) -> Iterator[None]:
    """Fails a test that gets a response which the OpenAPI document of its app does not describe."""
    yield
    found = recorded_responses.taken()
    assert not found, "\n".join(found)


@pytest.fixture
def sampled_cases(request: pytest.FixtureRequest) -> SampledCases:
    """Draws the cases of a table that a test goes through by itself."""
    every = request.config.getoption("--every-case")
    return SampledCases(None if every else f"{seed_of(request.config)} {request.node.nodeid}")


@pytest.fixture(scope="session")
def postgresql(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A running PostgreSQL shared by the session: a test that stops or kills a server starts one of its own."""
    if request.config.getoption("--debian"):
        from debian_postgresql import DebianPostgreSQL

        with DebianPostgreSQL() as other:
            yield other
        return
    with (
        memory_folder(tmp_path_factory.mktemp("postgresql")) as folder,
        EmbeddedPostgreSQL(folder, settings=FAST_AND_FORGETFUL) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def databases(postgresql: EmbeddedPostgreSQL) -> Databases:
    """The databases of the session's server."""
    return Databases(postgresql)


@pytest.fixture(scope="module")
def database_metadata() -> MetaData | None:
    """Override with the metadata of an app: the databases of the module or folder then have its tables."""
    return None


@pytest.fixture
def database_url(databases: Databases, database_metadata: MetaData | None) -> Iterator[str]:
    """The DSN of a new database for one test."""
    with databases.opened(database_metadata) as url:
        yield url


@pytest.fixture(scope="module")
def module_database_url(databases: Databases, database_metadata: MetaData | None) -> Iterator[str]:
    """The DSN of a new database for the tests of one module."""
    with databases.opened(database_metadata) as url:
        yield url
