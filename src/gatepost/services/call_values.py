"""Values of the call in expressions. The one place that knows where each comes from, by its `source`."""

from typing import Any

from gatepost.auth.call_tokens import find_token
from gatepost.call import Call
from gatepost.declaring.row_expressions import TOKEN
from gatepost.models.actor_values import actor_value


def call_value(call: Call, source: str) -> Any:
    """The value that a call gives for a source of `CallValue`."""
    return find_token(call) if source == TOKEN else actor_value(source, call.actor)
