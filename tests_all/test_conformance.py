"""The APIs of the bookshop, of Conduit and of an app with everything do what their OpenAPI documents say.

schemathesis makes the requests, for the anonymous, a user and one who may do everything; `conformance/exceptions.py`
lists what it may report.
"""

from collections.abc import Iterator
from itertools import count

import httpx
import pytest
from tests_all.conformance.exceptions import EXEMPTIONS, Exemption
from tests_all.conformance.schemathesis_runs import CASES, Case, Run, run_all
from tests_all.conformance.sites import Address, serving_all

SECONDS = 60
"""How long all runs take together."""


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Address]]:
    """The sites, running."""
    with serving_all(tmp_path_factory.mktemp("conformance")) as found:
        yield found


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Address]]:
    """Sites of their own, whose rows and tokens no run has deleted."""
    with serving_all(tmp_path_factory.mktemp("exemptions")) as found:
        yield found


@pytest.fixture(scope="module")
def runs(addresses: dict[str, Address], tmp_path_factory: pytest.TempPathFactory) -> dict[Case, Run]:
    """One run for each audience of each site, always of the same seeds: `make soak` tries others."""
    return run_all(addresses, SECONDS, tmp_path_factory.mktemp("runs"), count(1))


@pytest.mark.alone  # how much is tried depends on the machine being free
@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_the_api_does_what_its_document_says(case: Case, runs: dict[Case, Run]) -> None:
    found = runs[case]

    assert found.failures == 0, found.output
    assert found.cases > 0, found.output


@pytest.mark.parametrize("exemption", EXEMPTIONS, ids=lambda item: item.name)
def test_an_exemption_is_still_needed(exemption: Exemption, untouched: dict[str, Address]) -> None:
    address = untouched[exemption.example.site]
    headers = {"authorization": address.authorizations["privileged"], **exemption.example.headers}
    with httpx.Client(base_url=address.url, headers=headers) as client:
        response = exemption.example.send(client)

    assert exemption.covers_response(response.status_code, response.text), response.text
