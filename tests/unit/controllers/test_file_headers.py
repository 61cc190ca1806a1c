"""Files as they are declared: names, types and what cannot be sent."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gatepost import File
from gatepost.controllers.file_headers import content_type_of, disposition_of, is_active


@pytest.mark.parametrize(
    ("file", "value"),
    [
        (File(b""), "attachment"),
        (File(b"", inline=True), "inline"),
        (File(b"", name="a b.txt"), 'attachment; filename="a b.txt"'),
        (File(Path("/srv/x/report.pdf"), inline=True), 'inline; filename="report.pdf"'),
        (File(b"", name="né.txt"), "attachment; filename=\"n_.txt\"; filename*=UTF-8''n%C3%A9.txt"),
        (File(b"", name='a"b%41.txt'), "attachment; filename=\"a_b_41.txt\"; filename*=UTF-8''a%22b%2541.txt"),
        (File(b"", name="../../etc/passwd"), 'attachment; filename=".._.._etc_passwd"'),
        (File(b"", name="..\\a"), 'attachment; filename=".._a"'),
        (File(b"", name="a;b='c'"), "attachment; filename=\"a;b='c'\""),
    ],
)
def test_a_name_is_written_so_that_every_browser_reads_it(file: File, value: str) -> None:
    assert disposition_of(file) == (b"content-disposition", value.encode())


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        (None, b"application/octet-stream"),
        ("a", b"application/octet-stream"),
        ("a.pdf", b"application/pdf"),
        ("a.SVG", b"image/svg+xml"),
        ("a.csv", b"text/csv"),
        ("a.tar.gz", b"application/gzip"),
        ("a.svgz", b"application/gzip"),
        ("a.html", b"text/html"),
    ],
)
def test_the_type_follows_from_the_name(name: str | None, content_type: bytes) -> None:
    assert content_type_of(File(b"", name=name)) == content_type
    assert content_type_of(File(b"", name=name, content_type="text/x")) == b"text/x"


@pytest.mark.parametrize(
    ("content_type", "is_run"),
    [
        *((b"text/html", True), (b"Text/HTML; charset=utf-8", True), (b"image/svg+xml", True), (b"text/xml", True)),
        *((b"application/xhtml+xml", True), (b"application/pdf", False), (b"image/png", False), (b"text/plain", False)),
    ],
)
def test_what_browsers_would_run_is_known(content_type: bytes, is_run: bool) -> None:
    assert is_active(content_type) is is_run


async def parts() -> AsyncIterator[bytes]:
    yield b""


@pytest.mark.parametrize(
    ("content", "options", "problem"),
    [
        ("text", {}, "File takes bytes, a Path, or an async iterator of bytes, not str"),
        (parts(), {}, "File takes length= of an async iterator"),
        (parts(), {"length": -1}, "File takes length= of an async iterator"),
        (b"", {"length": 0}, "File takes length= of an async iterator"),
        (b"", {"root": Path()}, "File takes root= of a path"),
        (b"", {"name": ""}, "A file cannot be called ''"),
        (b"", {"name": "a\r\nset-cookie: x"}, "A file cannot be called"),
        (b"", {"name": "\ud800"}, "A file cannot be called"),
        (b"", {"etag": 'a"b'}, "An entity tag cannot be"),
        (b"", {"last_modified": datetime(2026, 1, 1)}, "last_modified= has no time zone"),
        (b"", {"content_type": "text/plain\r\nx: y"}, "The header content-type cannot be"),
    ],
)
def test_what_cannot_be_sent_is_refused(content: Any, options: dict[str, Any], problem: str) -> None:
    with pytest.raises((TypeError, ValueError), match=problem):
        File(content, **options)
