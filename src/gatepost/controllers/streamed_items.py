"""The items of streams, as JSON: plain data as it is, rows as the actor may read them at that moment."""

from typing import Any

from gatepost.call import Call
from gatepost.controllers.plain_values import value_encoder
from gatepost.controllers.running_streams import Encode
from gatepost.declaring.wire_names import WireName
from gatepost.services.answers import RowAnswers
from gatepost.services.call_transactions import CallTransactions


def plain_items(wire_name: WireName, location: str) -> Encode:
    """What writes items that are no rows. Raises `TypeError` for what JSON cannot hold."""
    encode = value_encoder(wire_name)

    async def write(call: Call, item: Any) -> bytes | None:
        try:
            return encode(item)
        except (TypeError, ValueError, RecursionError) as error:
            raise TypeError(f"{location} streamed what JSON cannot hold: {error}") from error

    return write


def row_items(shown: RowAnswers, transactions: CallTransactions, location: str) -> Encode:
    """What writes items that are rows: each is read again, in a transaction of its own, so that no connection is held
    between two of them. A row that the actor may not read is left out."""
    model = shown.served.entity.model

    async def write(call: Call, item: Any) -> bytes | None:
        if not isinstance(item, model):
            raise TypeError(f"{location} streamed {type(item).__name__}, not {model.__name__}.")
        row = await transactions.run(call, lambda unit: shown.show(call, unit, item), is_read_only=True)
        return None if row is None else row.data.encode()

    return write
