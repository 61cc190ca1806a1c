"""200 slow clients of slowhttptest: they are ended, and honest ones do not notice; of Gatepost and of the example."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from slow_attack import BODY, HEAD, RATIO_MAX, READ, Attack, compare
from tests.acceptance import gated_site, gatehouse

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


@pytest.fixture
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    if request.param == "gatepost serve":
        url: str = request.getfixturevalue("debian_url")
        with gatehouse.serving(tmp_path, url, **LIMITS) as running:
            yield Target(running.port, "/api/notes", "/api/notes", "/echo?bytes=1000000")
    else:
        with gated_site.serving(tmp_path, **LIMITS) as site:
            yield Target(site.port, "/books", "/books", "/openapi.json")


both = pytest.mark.parametrize("target", ["gatepost serve", "the example"], indirect=True)


@both
@pytest.mark.parametrize("options", [HEAD, BODY, READ], ids=["heads", "bodies", "reads"])
def test_honest_clients_do_not_notice(target: Target, options: list[str]) -> None:
    assert compare(target.port, target.honest, options, target.url(options)) <= RATIO_MAX


@both
@pytest.mark.parametrize("options", [HEAD, BODY], ids=["heads", "bodies"])
def test_slow_clients_are_ended(target: Target, options: list[str]) -> None:
    with Attack(options, target.url(options)) as attack:
        attack.settle()
        assert "No open connections left" in attack.end()
