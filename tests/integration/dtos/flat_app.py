"""The gazette with stories whose DTO a write can return by itself."""

from datetime import timedelta

from gazette_app import Comment, Member, Story, StoryCard
from sqlalchemy import Select, func, select

from gatepost import DTO, App, Controller, Resource, anyone, authenticated, computed, first, get, hidden


class StoryLine(DTO[Story]):
    title: str
    shouted: str = computed(func.upper(Story.title, type_=Story.title.type))


class Length(DTO[Comment]):
    text: str
    doubled: timedelta | None = computed(Comment.pause + Comment.pause)


class StoryWithLengths(DTO[Story]):
    title: str
    comments: list[Length] = first(3, order_by=Comment.text)


class Own(Controller):
    path = "own"

    @get("/all", allow=anyone, answers=StoryCard)
    async def every(self) -> Select[Story]:
        return select(Story).order_by(Story.title)

    @get("/{story}", allow=anyone, answers=StoryCard)
    async def one(self, story: Story) -> Story:
        return story

    @get("/{story}/plain", allow=anyone)
    async def plain(self, story: Story) -> Story:
        return story

    @get("/{story}/twice", allow=anyone, answers=StoryLine)
    async def twice(self, story: Story) -> list[Story]:
        return [story, story]


flat = App(
    Resource(Member, read=authenticated),
    Resource(
        Story, read=anyone, write=authenticated, answers=StoryLine, lists=StoryWithLengths, fields={"secret": hidden}
    ),
    Resource(Comment, read=anyone),
    controllers=[Own],
    users=Member,
)
