"""How rate limits are declared, and which buckets that makes."""

from typing import Any
from uuid import UUID

import pytest
from joserfc.jwk import OKPKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import App, ConfigurationError, RateLimit, Resource, anyone, hours, minutes, seconds
from gatepost.composition import Composition
from gatepost.events import Events
from gatepost.gateway.buckets.valkey import ValkeyBuckets
from gatepost.gateway.gate import make_limiter
from gatepost.settings import GateSettings, Settings

TWENTY, THOUSAND = RateLimit(20, per=seconds(1)), RateLimit(1000, per=hours(1))


class Base(DeclarativeBase):
    pass


class Thing(Base):
    __tablename__ = "things"
    id: Mapped[UUID] = mapped_column(primary_key=True)


def rules_of(rate_limit: Any, factor: int = 1) -> dict[str, list[str]]:
    """The names of the rules that a client's requests take from, by verb."""
    app = App(Resource(Thing, read=anyone, write=anyone, rate_limit=rate_limit))
    operations = app.composed(Settings(gate=GateSettings(limit_factor=factor))).operations
    limiter = make_limiter(GateSettings(), Events())
    found: dict[str, list[str]] = {}
    for operation in operations:
        if operation.name.startswith("things."):
            sets = limiter.limit_sets("address", [operation.rules])
            (own,) = [each for each in sets if each.specs[0].name != "api"] or sets
            found[operation.name.removeprefix("things.")] = [f"{spec.name}: {spec.limit}" for spec in own.specs]
    return found


def test_one_limit_is_shared_by_all_actions_of_a_resource() -> None:
    assert set(map(tuple, rules_of(TWENTY).values())) == {("things: 20 / 1 s",)}


def test_several_hold_together_by_names_of_their_own() -> None:
    assert rules_of([TWENTY, THOUSAND])["get"] == ["things 20 / 1 s: 20 / 1 s", "things 1000 / 1 h: 1000 / 1 h"]


def test_an_action_may_have_its_own_and_the_others_keep_the_apps() -> None:
    found = rules_of({"create": TWENTY})
    assert found["create"] == ["things.create: 20 / 1 s"]
    assert {*map(tuple, (found["get"], found["list"], found["update"]))} == {("api: 100 / 15 min",)}


def test_development_multiplies_them() -> None:
    assert rules_of(TWENTY, factor=100)["get"] == ["things: 2000 / 1 s"]


@pytest.mark.parametrize("declared", [[], [TWENTY, TWENTY], 5, {"create": []}, {"creat": TWENTY}, [5], "20 / s"])
def test_what_is_no_limit_is_refused_with_the_place(declared: Any) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        App(Resource(Thing, read=anyone, rate_limit=declared))
    assert refusal.value.location == "Resource(Thing, rate_limit=...)"


@pytest.mark.parametrize(
    ("count", "options"),
    [
        (0, {}), (5, {"per": 0.0}), (5, {"per": -1.0}), (5, {"per": float("nan")}), (5, {"burst": 0}),
        (101, {"sliding": True}), (5, {"sliding": True, "burst": 2}),
    ],
)  # fmt: skip
def test_a_limit_that_admits_nothing_or_is_no_sliding_one_is_refused(count: int, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="RateLimit"):
        RateLimit(count, **options)


def test_the_refusal_of_a_sliding_limit_shows_that_it_is_sliding() -> None:
    with pytest.raises(ConfigurationError, match=r"RateLimit\(200, per=60.0, burst=None, sliding=True\) cannot be"):
        RateLimit(200, sliding=True)


def test_a_sliding_limit_is_multiplied_as_far_as_it_goes() -> None:
    limit = RateLimit(5, per=minutes(15), sliding=True)
    assert (limit.times(3).count, limit.times(100).count, str(limit)) == (15, 100, "5 in any 15 min")


def test_a_limit_that_valkey_cannot_count_is_refused_when_the_app_is_composed() -> None:
    app = App(Resource(Thing, read=anyone, rate_limit=RateLimit(1_000_003, per=hours(24))))
    with pytest.raises(ConfigurationError, match="too large to be counted exactly"):
        Composition(
            app.declaration,
            Settings(),
            OKPKey.generate_key("Ed25519"),
            Events(),
            ValkeyBuckets("valkey://localhost"),
        )
