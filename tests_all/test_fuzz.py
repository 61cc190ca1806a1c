"""The fuzz of tests/acceptance, a minute long and with two workers."""

from pathlib import Path

from tests.acceptance.raw_http_server import serving
from tests.acceptance.test_fuzz import fuzz

SECONDS = 60


def test_a_minute_of_random_requests_does_no_harm(debian_url: str, tmp_path: Path) -> None:
    with serving(tmp_path, debian_url, "--workers", "2") as server:
        run = fuzz(server, SECONDS)

    assert sum(run.found.values()) > 2000, run.found
