import pytest

from gatepost.gateway.media_types import is_plain, media_type

JSON = b"application/json"


@pytest.mark.parametrize(
    "value",
    [
        b"application/json",
        b"Application/JSON",
        b" application/json\t",
        b"application/json;charset=utf-8",
        b"application/json ; Charset=UTF-8",
        b'application/json; charset="UTF-8"',
        b"application/json;",
        b"application/json; ;charset=utf-8;",
        b"application/json; profile=x; odata.metadata=none",
        b'application/json; x="; charset=latin-1"',
        b'application/json; x="\\"; charset=latin-1"',
        b"application/json; charset*=latin-1",
        b"application/json; boundary=x",
    ],
)
def test_json_with_parameters_that_change_nothing(value: bytes) -> None:
    assert media_type(value) == JSON


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" ",
        b"application",
        b"/json",
        b"application/",
        b"application /json",
        b"application/json, text/plain",
        b"application/json,application/json",
        b"application/json charset=utf-8",
        b"application/json; charset",
        b"application/json; charset=",
        b"application/json; charset = utf-8",
        b"application/json; charset=utf8",
        b"application/json; charset=utf-16",
        b"application/json; charset=latin-1",
        b"application/json; charset=utf-8; charset=utf-8",
        b"application/json; charset=utf-8; charset=latin-1",
        b"application/json; CHARSET=utf-7",
        b"application/json; charset='utf-8'",
        b'application/json; charset="utf-8',
        b'application/json; charset="utf-8"x',
        b'application/json; charset="utf\\-8"',
        b"application/json; charset=utf-8\x00",
        b"application/json\x0b; charset=utf-8",
        b"(comment) application/json",
        b"application/json; \xc3\xa9=1",
    ],
)
def test_what_is_malformed_or_not_utf_8_is_no_type(value: bytes) -> None:
    assert media_type(value) is None


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"text/plain; application/json", None),
        (b'text/plain; x="application/json"', b"text/plain"),
        (b"multipart/form-data; boundary=application/json", None),
        (b"multipart/form-data; boundary=----x", b"multipart/form-data"),
        (b"application/json+x", b"application/json+x"),
        (b"application/x-www-form-urlencoded", b"application/x-www-form-urlencoded"),
        (b"application/jsonx", b"application/jsonx"),
        (b"*/*", b"*/*"),
    ],
)
def test_other_types_stay_other_types(value: bytes, found: bytes | None) -> None:
    assert media_type(value) == found


def test_a_long_value_takes_no_time() -> None:
    assert media_type(b"application/json" + b";" * 100_000) == JSON
    assert media_type(b"application/json" + b"; x=" * 20_000) is None
    assert media_type(b'application/json; x="' + b"\\" * 100_001) is None


@pytest.mark.parametrize("value", [b"identity", b"Identity", b" IDENTITY ", b"", b"identity, identity", b",identity,"])
def test_what_encodes_nothing(value: bytes) -> None:
    assert is_plain(value)


@pytest.mark.parametrize(
    "value", [b"gzip", b"GZIP", b"x-gzip", b"br", b"zstd", b"identity, gzip", b"gzip,identity", b"identity;q=1", b"i"]
)
def test_what_encodes(value: bytes) -> None:
    assert not is_plain(value)
