"""The APIs do what their OpenAPI documents say: `tests_all/conformance`, for four times `GATEPOST_SOAK_SECONDS`."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

from tests_all.conformance.schemathesis_runs import run_all
from tests_all.conformance.sites import serving_all

SECONDS = float(os.environ.get("GATEPOST_SOAK_SECONDS", "30")) * 4


def test_the_apis_do_what_their_documents_say(tmp_path: Path) -> None:
    with serving_all(tmp_path) as addresses:
        runs = run_all(addresses, SECONDS, tmp_path, random_seeds())

    for (name, audience), found in runs.items():
        print(f"{name}, {audience}: {found.cases} requests, seed {found.seed}")
    failed = [found.output for found in runs.values() if found.failures]
    assert not failed, "\n".join(failed)


def random_seeds() -> Iterator[int]:
    """Without end."""
    while True:
        yield random.randrange(2**31)
