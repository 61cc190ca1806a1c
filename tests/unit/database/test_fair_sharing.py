"""Who may have a connection while a pool is shared out."""

from typing import Any

import pytest

from gatepost.database.fair_sharing import ACCOUNTS, FairSharing


class Holder:
    """On whose behalf a connection is lent."""

    def __init__(self, resource: str) -> None:
        self.resource = resource


@pytest.mark.parametrize(("size_max", "may_take"), [(1, True), (3, True), (4, False)])
def test_the_last_connection_is_reserved_only_where_there_are_enough(size_max: int, may_take: bool) -> None:
    spare: Any = object()
    sharing = FairSharing(lambda: [], lambda: size_max, lambda: size_max)
    sharing.begin([spare])
    others: Any = Holder("books")
    accounts: Any = Holder(ACCOUNTS)
    assert sharing.eligibility().may_take(others) is may_take
    assert sharing.eligibility().may_take(accounts)
