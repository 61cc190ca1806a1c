from collections.abc import Mapping
from typing import Any

import pytest

from gatepost.declaring.headers import Headers
from gatepost.errors import ConfigurationError


def test_values_and_what_is_left_out_are_told_apart_whatever_their_case() -> None:
    headers = Headers({"X-Frame-Options": "SAMEORIGIN", "Origin-Agent-Cluster": None}, location="test")
    assert headers.values == ((b"x-frame-options", b"SAMEORIGIN"),)
    assert headers.removed == {b"origin-agent-cluster"}


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"x y": "1"}, "not a header name"),
        ({"": "1"}, "not a header name"),
        ({"x:": "1"}, "not a header name"),
        ({"x-a": "1", "X-A": "2"}, "twice"),
        ({"x-a": 1}, "Names and values are texts"),
        ({5: "x"}, "Names and values are texts"),
        ({"x-a": ""}, "visible ASCII"),
        ({"x-a": "1\r\nset-cookie: a=b"}, "visible ASCII"),
        ({"x-a": " 1"}, "visible ASCII"),
        ({"x-a": "\u00e9"}, "visible ASCII"),
        ({"Strict-Transport-Security": "max-age=1"}, "GATEPOST_HSTS_SECONDS"),
        ({"Access-Control-Allow-Origin": "*"}, "cors=CORS"),
        ({"RateLimit": "x"}, "rate_limit="),
        ({"Server": "x"}, "single response"),
        ({"X-Request-Id": None}, "single response"),
        ({"Content-Length": "1"}, "single response"),
        ({"Set-Cookie": "a=b"}, "single response"),
    ],
)
def test_what_is_not_the_paths_to_say_is_refused(given: Mapping[Any, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint) as raised:
        Headers(given, location="Resource(Book)")
    assert raised.value.location == "Resource(Book)"
