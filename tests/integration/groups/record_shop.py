"""The rows of the record shop, and clients of the identities that its versions tell apart."""

from typing import Any, NamedTuple

import asyncpg

from gatepost.testing import Client, TestApp

STATES = ("out", "draft", "withdrawn")
IDENTITIES = ("anonymous", "user", "editor", "curator")


class Version(NamedTuple):
    """One version: the path of its releases, the states that it shows, and the names of what it hides from some."""

    path: str
    states: tuple[str, ...]
    cost: str
    envelope: tuple[str, str]


FIRST = Version("/api/releases", ("out", "draft"), "unit_cost", ("data", "data"))
SECOND = Version("/api/v2/records", ("out", "withdrawn"), "unitCost", ("record", "records"))


class Shop(NamedTuple):
    """A running shop: its clients by identity, and the keys of releases, songs and pins by the state of the release,
    which is its title as well."""

    running: TestApp
    clients: dict[str, Client]
    label: int
    releases: dict[str, int]
    songs: dict[str, int]
    pins: dict[str, int]


async def filled(running: TestApp, sql: "asyncpg.Connection[Any]") -> Shop:
    """A release of each state, with a song and a pin."""
    await sql.execute("TRUNCATE group_labels, group_releases, group_songs, group_pins RESTART IDENTITY CASCADE")
    label = await sql.fetchval("INSERT INTO group_labels (short_name, is_closed) VALUES ('label', false) RETURNING id")
    releases: dict[str, int] = {}
    songs: dict[str, int] = {}
    pins: dict[str, int] = {}
    for cost, state in enumerate(STATES, 10):
        release = releases[state] = await sql.fetchval(
            "INSERT INTO group_releases (title, state, unit_cost, label_id) VALUES ($1, $1, $2, $3) RETURNING id",
            state,
            cost,
            label,
        )
        insert = "INSERT INTO group_songs (name, release_id) VALUES ($1, $2) RETURNING id"
        songs[state] = await sql.fetchval(insert, f"song of {state}", release)
        insert = "INSERT INTO group_pins (place, release_id) VALUES ($1, $2) RETURNING id"
        pins[state] = await sql.fetchval(insert, f"pin of {state}", release)
    clients = {
        "anonymous": running.anonymous,
        "user": await running.user(),
        "editor": await running.user("editor"),
        "curator": await running.user("curator"),
    }
    return Shop(running, clients, label, releases, songs, pins)
