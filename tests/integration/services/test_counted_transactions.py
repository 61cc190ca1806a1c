"""What metrics are told of transactions and of the decisions of rate limits, once a second."""

import pytest
from sqlalchemy.orm import Mapped

from gatepost import Actor, App, Conflict, Model, Resource, Service, anyone
from gatepost.metrics.sampler import READINGS
from gatepost.testing import TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Parcel(Model):
    __tablename__ = "counted_parcels"

    title: Mapped[str]


class Parcels(Service[Parcel]):
    async def after_create(self, row: Parcel, actor: Actor) -> None:
        if row.title == "broken":
            raise Conflict("broken", "It is broken.")


app = App(Resource(Parcel, read=anyone, create=anyone, service=Parcels))


async def test_transactions_that_had_begun_are_counted_by_their_end(running: TestApp) -> None:
    before = app.readings()

    def risen(name: str) -> float:
        return app.readings()[name] - before[name]

    assert (await running.anonymous.post("/api/counted_parcels", json={"title": "whole"})).status == 201
    assert (await running.anonymous.post("/api/counted_parcels", json={"title": "broken"})).status == 409
    assert (await running.anonymous.get("/api/counted_parcels")).status == 200
    assert (risen("transactions_committed"), risen("transactions_rolled_back")) == (1, 1)
    assert (risen("bucket_decisions_local"), risen("bucket_decisions_valkey")) == (3, 0)
    assert app.readings().keys() <= READINGS.keys()
