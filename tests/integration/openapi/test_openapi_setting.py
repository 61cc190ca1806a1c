"""`GATEPOST_OPENAPI` says who gets the document."""

import pytest
from described_app import app

from gatepost.testing import TestApp


@pytest.mark.parametrize(("audience", "statuses"), [("signed_in", (401, 200)), ("nobody", (404, 404))])
async def test_a_setting_says_who_gets_it(audience: str, statuses: tuple[int, int], database_url: str) -> None:
    async with TestApp(app, database_url, GATEPOST_OPENAPI=audience) as started:
        found = [await each.get("/openapi.json") for each in (started.anonymous, await started.user())]

    assert tuple(response.status for response in found) == statuses
