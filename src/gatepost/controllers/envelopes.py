"""Envelopes: the keys around what is sent, as the dialect of an app has them. Made at start."""

import json
from typing import Any

import msgspec

from gatepost.declaring.dialect import DATA, LIST, Dialect
from gatepost.declaring.dto import DTO, declared_of
from gatepost.dtos.body_envelopes import BodyEnvelope

DTOClass = type[DTO[Any]]


class Envelope(msgspec.Struct, frozen=True):
    """What stands around rows and values: `opening` before one, `list_opening` before those of a list, whose bracket it
    has; the keys in them are `key` and `list_key`. `total` is the key of the number of all rows beside the list, as it
    is written (`total_key` without quotes); empty where the total is a part of `page`. `has_page` says that lists have
    that part."""

    opening: str = '{"data":'
    list_opening: bytes = b'{"data":['
    total: bytes = b""
    has_page: bool = True
    key: str = DATA[0]
    list_key: str = DATA[1]
    total_key: str | None = None

    @property
    def of_whole(self) -> "Envelope":
        """That of a list which is not paged: where its key is not the usual one, nothing stands beside it."""
        is_usual = self.list_opening == PLAIN.list_opening
        return msgspec.structs.replace(self, total=b"", total_key=None, has_page=self.has_page and is_usual)


PLAIN = Envelope()
"""That of the default dialect."""


class Envelopes:
    """The envelopes of an app. Where its dialect has named ones, the nearest name is the key."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def of(self, answers: DTOClass | None, lists: DTOClass | None, name: str | None = None) -> Envelope:
        """That of rows which are shown as `answers`, in lists as `lists`, and of what an endpoint of this name
        returns."""
        one, many = self._dialect.envelope
        if self._dialect.has_named_envelopes:
            one = name or (declared_of(answers).name if answers is not None else None) or one
            many = name or (declared_of(lists).names if lists is not None else None) or many
        return self._with_keys(one, many)

    def of_body(self, body: DTOClass | None, answers: DTOClass | None) -> BodyEnvelope | None:
        """That of bodies which are read as `body`, where what is shown is `answers`; None where they have none."""
        if not self._dialect.has_named_envelopes:
            return None
        names = [declared_of(each).name for each in (body, answers) if each is not None]
        key = next(filter(None, names), None)
        return None if key is None else BodyEnvelope(key)

    def _with_keys(self, one: str, many: str) -> Envelope:
        dialect = self._dialect
        total_key = None if dialect.total is None else dialect.total.replace(LIST, many)
        total = b"" if total_key is None else json.dumps(total_key).encode()
        return Envelope(
            f"{{{json.dumps(one)}:",
            f"{{{json.dumps(many)}:[".encode(),
            total,
            has_page=not (total and dialect.paging.by_offset),
            key=one,
            list_key=many,
            total_key=total_key,
        )
