"""Comments, and whose articles and comments they are."""

from typing import Any

from tests.acceptance.conduit.expectations import INTEGER, Kept
from tests.acceptance.conduit.steps import (
    BLANK,
    NO_ARTICLE,
    NO_COMMENT,
    NO_TOKEN,
    Scenario,
    Step,
    article,
    comment,
    comments,
    errors,
    person,
    publish,
    registered,
    remove,
)

PATH = "/articles/{slug}/comments"


def say(who: str, text: str, keeps: str) -> Step:
    """A new comment, whose id is kept."""
    shown = comment(body=text, author=person(who))
    return Step(f"POST {PATH}", 201, shown, by=who, sends={"comment": {"body": text}}, keeps={keeps: "comment.id"})


def shown(*several: dict[str, Any], by: str | None = None) -> Step:
    """All comments of the article."""
    return Step(f"GET {PATH}", 200, comments(*several), by=by)


def delete(who: str | None, comment_id: str, status: int = 204, shows: Any = None) -> Step:
    """One comment is deleted, or not."""
    return Step(f"DELETE {PATH}/{{{comment_id}}}", status, shows, by=who)


ONE: dict[str, Any] = {"id": Kept("one"), "body": "Thank you", "author": person("ann")}

COMMENTS = Scenario(
    "comments",
    ("ann",),
    (
        *registered("ann"),
        publish("ann", "Talk {ann}", keeps="slug"),
        say("ann", "Thank you", keeps="one"),
        shown(ONE, by="ann"),
        shown(ONE),
        delete("ann", "one"),
        shown(),
        say("ann", "First", keeps="first"),
        say("ann", "Second", keeps="second"),
        shown({"id": Kept("first"), "body": "First"}, {"id": Kept("second"), "body": "Second"}),
        delete("ann", "first"),
        shown({"id": Kept("second"), "body": "Second"}),
        # A list of comments has no pages.
        *(say("ann", f"More {number}", keeps=f"more{number}") for number in range(25)),
        shown({"body": "Second"}, *({"id": INTEGER, "body": f"More {number}"} for number in range(25))),
        *remove("ann", "slug"),
    ),
)

ERRORS_COMMENTS = Scenario(
    "errors_comments",
    ("ann",),
    (
        Step("POST /articles/unknown-slug/comments", 401, NO_TOKEN, sends={"comment": {"body": "No"}}),
        Step("DELETE /articles/unknown-slug/comments/1", 401, NO_TOKEN),
        *registered("ann"),
        publish("ann", "Talk {ann}", keeps="slug"),
        Step(f"POST {PATH}", 422, errors(body=BLANK), by="ann", sends={"comment": {"body": ""}}),
        Step("POST /articles/unknown-slug/comments", 404, NO_ARTICLE, by="ann", sends={"comment": {"body": "Orphan"}}),
        Step("GET /articles/unknown-slug/comments", 404, NO_ARTICLE),
        Step("DELETE /articles/unknown-slug/comments/99999", 404, NO_ARTICLE, by="ann"),
        Step(f"DELETE {PATH}/99999", 404, NO_COMMENT, by="ann"),
        Step(f"POST {PATH}", 422, errors(body=BLANK), by="ann", sends={"comment": {}}),
        # A comment is found below its own article only.
        say("ann", "Here", keeps="here"),
        publish("ann", "Elsewhere {ann}", keeps="other"),
        Step("DELETE /articles/{other}/comments/{here}", 404, NO_COMMENT, by="ann"),
        Step("GET /articles/{other}/comments", 200, comments()),
        shown({"id": Kept("here")}),
        *remove("ann", "slug", "other"),
        Step("GET /articles/{slug}/comments", 404, NO_ARTICLE),
    ),
)

HIJACK = {"article": {"body": "hijacked"}}

ERRORS_AUTHORIZATION = Scenario(
    "errors_authorization",
    ("ann", "bob"),
    (
        *registered("ann", "bob"),
        publish("ann", "Owned {ann}", keeps="slug"),
        Step("DELETE /articles/{slug}", 403, errors(article="forbidden"), by="bob"),
        Step("PUT /articles/{slug}", 403, errors(article="forbidden"), by="bob", sends=HIJACK),
        say("ann", "Mine", keeps="mine"),
        delete("bob", "mine", 403, errors(comment="forbidden")),
        shown({"id": Kept("mine"), "body": "Mine"}),
        # Not even the author of the article deletes another's comment.
        say("bob", "Yours", keeps="yours"),
        delete("ann", "yours", 403, errors(comment="forbidden")),
        delete("bob", "yours"),
        Step("GET /articles/{slug}", 200, article(body="Text of Owned {ann}", author=person("ann"))),
        *remove("ann", "slug"),
    ),
)

SCENARIOS = (COMMENTS, ERRORS_COMMENTS, ERRORS_AUTHORIZATION)
