"""Cursors: only those that were sealed for the same order are opened, and secret positions cannot be read."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.controllers.cursors import SEAL_BYTES, Cursors
from gatepost.epoch import Epoch
from gatepost.errors import BadRequest, ServiceUnavailable

CURSORS = Cursors(b"s" * 32)
values = st.tuples(st.none() | st.booleans() | st.text(max_size=300) | st.integers(-(2**63), 2**63 - 1), st.text())


def decoded(cursor: str) -> bytes:
    """The bytes of a cursor."""
    return urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))


@given(values, st.booleans())
def test_a_position_is_opened_as_it_was_sealed(position: tuple[Any, ...], is_secret: bool) -> None:
    cursor = CURSORS.seal(b"books?title,id", position, is_secret=is_secret)
    assert CURSORS.open(b"books?title,id", cursor, is_secret=is_secret) == list(position)
    for context, secret, wrong in (
        (b"books?-title,-id", is_secret, cursor),
        (b"books?title,id", not is_secret, cursor),
    ):
        with pytest.raises(BadRequest):
            CURSORS.open(context, wrong, is_secret=secret)


@given(st.text(st.characters(codec="ascii", categories=["L"]), min_size=4, max_size=300), st.booleans())
def test_a_secret_position_is_not_in_its_cursor(word: str, is_first: bool) -> None:
    position = (word, 1) if is_first else (1, word)
    cursors = [CURSORS.seal(b"x", position, is_secret=is_secret) for is_secret in (True, False)]
    assert [word.encode() in decoded(cursor) for cursor in cursors] == [False, True]


@given(st.data(), st.booleans())
def test_a_changed_byte_breaks_a_cursor(data: st.DataObject, is_secret: bool) -> None:
    cursor = CURSORS.seal(b"x", ("some", 12), is_secret=is_secret)
    sealed = bytearray(decoded(cursor))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BadRequest):
        CURSORS.open(b"x", urlsafe_b64encode(sealed).decode().rstrip("="), is_secret=is_secret)


@pytest.mark.parametrize("is_secret", [True, False])
@pytest.mark.parametrize("text", ["x" * 200_000, "\x01" * 100_000, Random(1).randbytes(1350).hex(), 'é,"' * 20_000])
def test_every_text_that_an_index_holds_has_a_cursor_that_fits_in_a_path(text: str, is_secret: bool) -> None:
    cursor = CURSORS.seal(b"x", (text, "id"), is_secret=is_secret)
    assert len(cursor) < 4096
    assert CURSORS.open(b"x", cursor, is_secret=is_secret) == [text, "id"]


def test_equal_positions_of_two_orders_are_encrypted_differently() -> None:
    one, other = (decoded(CURSORS.seal(order, ("a",), is_secret=True)) for order in (b"a", b"b"))
    assert one[SEAL_BYTES:] != other[SEAL_BYTES:]


def test_a_cursor_of_another_epoch_is_broken_and_of_an_unknown_one_for_later() -> None:
    """A process that has not reached its database yet must not tell a client to start again."""
    epoch = Epoch()
    cursors = Cursors(b"s" * 32, epoch)
    with pytest.raises(ServiceUnavailable, match="database_unavailable"):
        cursors.open(b"books", CURSORS.seal(b"orders", ("1",)))
    epoch.note(0)
    first = cursors.seal(b"books", ("1",))
    assert first == CURSORS.seal(b"books", ("1",)), "as before there were epochs"
    assert cursors.open(b"books", first) == ["1"]
    epoch.note(7)
    with pytest.raises(BadRequest, match="invalid_cursor"):
        cursors.open(b"books", first)
    epoch.note(6)
    assert cursors.open(b"books", cursors.seal(b"books", ("1",))) == ["1"]
