"""What the tests of records share."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Column, Integer, MetaData, Table

from gatepost.records.reports import Reports


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases with the tables of the monitors: any migration makes them."""
    metadata = MetaData()
    Table("kept_beside_the_records", metadata, Column("id", Integer, primary_key=True))
    return metadata


@pytest.fixture
def reports() -> Iterator[Reports]:
    """Nobody sends any here."""
    made = Reports()
    yield made
    made.close()
