"""Clients of the identities that the resources of these tests tell apart."""

from gatepost.testing import Client, TestApp

FOUR = ("anonymous", "stranger", "keeper", "editor")
"""The identities: nobody, a user, the user whose the rows are, and one with a role."""


class People(dict[str, Client]):
    """A client of each identity; `keeper_id` is the key of the keeper."""

    keeper_id: str


async def people_of(running: TestApp) -> People:
    """Clients of the four identities."""
    keeper, keeper_id = await running.user_and_id()
    clients = [running.anonymous, await running.user(), keeper, await running.user("editor")]
    people = People(zip(FOUR, clients, strict=True))
    people.keeper_id = str(keeper_id)
    return people
