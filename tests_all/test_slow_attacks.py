"""200 slow clients of slowhttptest: they are ended, and honest ones do not notice; of Gatepost and of the example."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

import pytest
from slow_attack import BODY, CONNECTIONS, HEAD, RATIO_MAX, READ, Attack, Verdict, compare
from tests.acceptance import gated_fastapi_site, raw_http_server

LIMITS = {"GATEPOST_LIMIT_API": "1000000000"}


class Target(NamedTuple):
    """A running server, and what is asked for: by the honest, by slow bodies, by slow readers."""

    port: int
    honest: str
    post: str
    large: str

    def url(self, options: list[str]) -> str:
        path = self.post if options is BODY else self.large if options is READ else self.honest
        return f"http://127.0.0.1:{self.port}{path}"


Serve = Callable[[], AbstractContextManager[Target]]


@pytest.fixture
def serve(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Serve:
    """Starts a server, each time a new one."""
    url: str | None = request.getfixturevalue("debian_url") if request.param == "gatepost serve" else None

    @contextmanager
    def started() -> Iterator[Target]:
        folder = tmp_path_factory.mktemp("attacked")
        if url is not None:
            with raw_http_server.serving(folder, url, **LIMITS) as running:
                yield Target(running.port, "/api/notes", "/api/notes", "/echo?bytes=1000000")
        else:
            with gated_fastapi_site.serving(folder, **LIMITS) as site:
                yield Target(site.port, "/books", "/books", "/openapi.json")

    return started


@pytest.fixture
def target(serve: Serve) -> Iterator[Target]:
    """One server."""
    with serve() as running:
        yield running


both = pytest.mark.parametrize("serve", ["gatepost serve", "the example"], indirect=True)


@pytest.mark.alone
@both
@pytest.mark.parametrize("options", [HEAD, BODY, READ], ids=["heads", "bodies", "reads"])
def test_honest_clients_do_not_notice(serve: Serve, options: list[str]) -> None:
    """Where its memory happens to lie makes one process slower than its twin for as long as it lives: a second one is
    asked where the first seems to notice."""
    first = _ratio(serve, options)
    assert first <= RATIO_MAX or _ratio(serve, options) <= RATIO_MAX


def _ratio(serve: Serve, options: list[str]) -> float:
    with serve() as target:
        return compare(target.port, target.honest, options, target.url(options))


@both
@pytest.mark.parametrize("options", [HEAD, BODY], ids=["heads", "bodies"])
def test_slow_clients_are_ended(target: Target, options: list[str]) -> None:
    with Attack(options, target.url(options)) as attack:
        assert attack.end() == Verdict(CONNECTIONS, 0, "No open connections left")
