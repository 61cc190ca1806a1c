"""What each of four identities is shown by DTOs of three depths, with one statement."""

from typing import Any

import pytest
from gazette_rows import FOUR, Gazette

pytestmark = pytest.mark.asyncio(loop_scope="module")


def member(name: str, by: str) -> dict[str, Any] | None:
    """How a member is shown."""
    if by == "anonymous":
        return None
    phone = {"phone": f"phone of {name}"} if by in (name, "editor") else {}
    return {"username": name, "story_count": 5 if name == "author" else 0, "is_me": name == by, **phone}


def reactions(by: str, *kinds: str) -> list[Any]:
    return [{"kind": kind, "took": "PT90S", "member": member("stranger", by)} for kind in kinds]


def comments(by: str) -> list[Any]:
    """The first two comments that an identity may list."""
    flagged = ("z flagged", "PT3600S", "stranger", ("like",))
    found = [("y", "PT7200S", "author", ("wow", "like")), ("x", None, "author", ())]
    if by in ("stranger", "editor"):
        found = [flagged, found[0]]
    return [
        {
            "text": text,
            "pause": pause,
            "author": member(author, by),
            "reactions": reactions(by, *kinds),
            **({"flag": "seen"} if by == "editor" else {}),
        }
        for text, pause, author, kinds in found
    ]


def card(by: str) -> dict[str, Any]:
    """How the story is shown in a list."""
    is_editor = by == "editor"
    return {
        "title": "Whole",
        "author": member("author", by),
        "comment_count": 4,
        "shown_comment_count": True,
        "is_mine": by == "author",
        "is_of_team": None if by == "anonymous" else True,
        "pages": None,
        **({"cost": 5, "margin": 10, "audit": "audited Whole"} if is_editor else {}),
        **({"note": "a note"} if by in ("author", "editor") else {}),
    }


def full(by: str) -> dict[str, Any]:
    """How the story is shown alone."""
    note = {"note": "a note"} if by in ("author", "editor") else {}
    titles = ["Draft", "Part a"] if by in ("author", "editor") else ["Part a", "Part b"]
    parts = [{"title": title, "comment_count": 0, "part_count": 0, **note} for title in titles]
    return {
        **card(by),
        "parent": None,
        "parts": parts,
        "comments": comments(by),
        "ratings": [{"stars": 5}, {"stars": 4}],
        "by_same_author": 5,
    }


@pytest.mark.parametrize("by", FOUR)
async def test_a_row_shows_each_identity_what_it_may_see_at_every_depth(gazette: Gazette, by: str) -> None:
    response = await gazette.clients[by].get(f"/api/stories/{gazette.story}")
    assert response.status == 200
    assert response.data == full(by)
    assert "etag" not in response.headers


@pytest.mark.parametrize("by", FOUR)
async def test_a_list_shows_each_identity_what_it_may_see(gazette: Gazette, by: str) -> None:
    response = await gazette.clients[by].get("/api/stories?sort=-title&limit=1")
    assert response.data == [card(by)]


@pytest.mark.parametrize("by", FOUR)
async def test_lists_inside_the_rows_of_a_page_are_of_their_own_row(gazette: Gazette, by: str) -> None:
    response = await gazette.clients[by].get("/api/comments?sort=id")
    found = {row["text"]: [each["kind"] for each in row["reactions"]] for row in response.data}
    expected = {"y": ["wow", "like"], "x": [], "w": ["like"]}
    assert found == ({"z flagged": ["like"], **expected} if by in ("stranger", "editor") else expected)
    assert all(row.keys() >= {"author", "pause"} and ("flag" in row) == (by == "editor") for row in response.data)
