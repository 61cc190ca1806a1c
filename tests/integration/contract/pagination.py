"""Walking a list by its cursors, as a client does."""

from typing import Any

from gatepost.testing import Client

STEPS_MAX = 500


async def page(client: Client, path: str) -> dict[str, Any]:
    """The envelope of a list."""
    response = await client.get(path)
    assert response.status == 200, (path, response.body)
    found: dict[str, Any] = response.json()
    return found


def ids(envelope: dict[str, Any]) -> list[int]:
    """The keys of the rows that an envelope shows."""
    return [row["id"] for row in envelope["data"]]


async def ids_of(client: Client, path: str) -> list[int]:
    """The keys on one page."""
    return ids(await page(client, path))


async def there_and_back(client: Client, path: str) -> list[int]:
    """The keys that `next` finds to the end. `prev` from there must find the same pages again; `path` has a query."""
    envelope = await page(client, path)
    forward = [ids(envelope)]
    while (cursor := envelope["page"]["next"]) is not None:
        assert len(forward) < STEPS_MAX, "the cursors lead in a circle"
        envelope = await page(client, f"{path}&after={cursor}")
        forward.append(ids(envelope))
    backward = [ids(envelope)]
    while (cursor := envelope["page"]["prev"]) is not None:
        assert len(backward) < STEPS_MAX, "the cursors lead in a circle"
        envelope = await page(client, f"{path}&before={cursor}")
        backward.append(ids(envelope))
    assert backward[::-1] == forward, (path, forward, backward)
    return [key for keys in forward for key in keys]
