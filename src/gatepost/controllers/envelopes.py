"""Envelopes: the keys around what is sent, as the dialect of an app has them. Made at start."""

import json

import msgspec

from gatepost.declaring.dialect import LIST, Dialect


class Envelope(msgspec.Struct, frozen=True):
    """What stands around rows and values: `opening` before one, `list_opening` before those of a list, whose bracket it
    has. `total` is the key of the number of all rows beside the list, as it is written; empty where the total is a part
    of `page`. `has_page` says that lists have that part."""

    opening: str = '{"data":'
    list_opening: bytes = b'{"data":['
    total: bytes = b""
    has_page: bool = True


PLAIN = Envelope()
"""That of the default dialect."""


def envelope_of(dialect: Dialect) -> Envelope:
    """The envelope of rows and values."""
    one, many = dialect.envelope
    total = b"" if dialect.total is None else json.dumps(dialect.total.replace(LIST, many)).encode()
    return Envelope(
        f"{{{json.dumps(one)}:",
        f"{{{json.dumps(many)}:[".encode(),
        total,
        has_page=not (total and dialect.paging.by_offset),
    )
