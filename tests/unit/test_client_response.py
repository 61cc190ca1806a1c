"""What a test sees of a response that has not what it looks at: a sentence."""

import pytest

from gatepost.testing import ClientResponse


def response(status: int, body: bytes, kind: str = "application/json") -> ClientResponse:
    return ClientResponse(status, {"content-type": kind}, body)


def test_data_of_the_envelope() -> None:
    assert response(200, b'{"data": [1]}').data == [1]
    assert response(200, b'{"data": null}').data is None


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (response(201, b""), r"^The response 201 has no body\. The actor may create the row but not read it: "),
        (response(204, b""), r"^The response 204 has no body\.$"),
        (response(422, b'{"code": "invalid_body"}'), r'^The response 422 has no data: \{"code": "invalid_body"\}$'),
        (response(200, b"[1]"), r"^The response 200 has no data: \[1\]$"),
        (response(200, b"<p>", "text/html"), r"^The body of the response 200 is not JSON, but text/html\.$"),
    ],
)
def test_what_is_not_there_is_said(given: ClientResponse, sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        _ = given.data
