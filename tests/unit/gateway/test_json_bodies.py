from typing import Any

import pytest
from gate_conversation import call_of, forbidden_receive, parts, scope

from gatepost.call import Call
from gatepost.dtos.json_check import JSONCheck
from gatepost.dtos.json_values import Bounds
from gatepost.errors import Problem
from gatepost.gateway.json_bodies import read_json_body

CHECK = JSONCheck(Bounds(4, 5, 2_000, doubles=True))


def asked(kind: bytes, body: bytes) -> Call:
    made = call_of(scope("POST", headers=[(b"content-type", kind)]))
    made.receive = parts(body[:3], body[3:])
    return made


async def test_a_good_body_is_handed_on_byte_for_byte_and_then_the_server_is_asked() -> None:
    body = b'{"a" :1.00}'
    made = asked(b"application/json; charset=utf-8", body)
    receive = await read_json_body(made, made.receive, CHECK)
    assert await receive() == {"type": "http.request", "body": body, "more_body": False}
    assert await receive() == {"type": "http.disconnect"}


async def test_what_is_not_json_is_not_read() -> None:
    made = call_of(scope("POST", headers=[(b"content-type", b"text/csv")]))
    assert await read_json_body(made, forbidden_receive, CHECK) is forbidden_receive


async def test_a_body_that_ends_early_is_refused() -> None:
    made = asked(b"application/merge-patch+json", b"")

    async def cut() -> Any:
        return {"type": "http.disconnect"}

    made.receive = cut
    with pytest.raises(Problem) as raised:
        await read_json_body(made, made.receive, CHECK)
    assert raised.value.code == "malformed_request"


async def test_a_body_that_the_check_refuses_is_not_handed_on() -> None:
    made = asked(b"application/json", b'{"a": 1, "a": 2}')
    with pytest.raises(Problem, match="twice"):
        await read_json_body(made, made.receive, CHECK)
