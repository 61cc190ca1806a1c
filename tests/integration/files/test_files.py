"""Files of own endpoints: whole, in ranges, unless the client has them, and from safe places only."""

import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from files_app import app, folder
from sqlalchemy import MetaData

from gatepost.events import FileRefused, RequestFailed, RequestFinished
from gatepost.testing import Client, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

refused: list[FileRefused] = []
failures: list[RequestFailed] = []
finished: list[RequestFinished] = []
app.events.subscribe(FileRefused, refused.append)
app.events.subscribe(RequestFailed, failures.append)
app.events.subscribe(RequestFinished, finished.append)

LONG = bytes(range(256)) * 4096
"""A MiB, four parts of a file."""


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(module_database_url: str) -> AsyncIterator[TestApp]:
    async with TestApp(app, module_database_url, GATEPOST_DATABASE_POOL_SIZE="1") as started:
        yield started


@pytest.fixture
def client(running: TestApp, tmp_path: Path) -> Client:
    """An anonymous client, and a new folder with files."""
    folder.path = tmp_path / "files"
    folder.lines.clear()
    for each in (refused, failures, finished):
        each.clear()
    (folder.path / "deep").mkdir(parents=True)
    (folder.path / "deep" / "note.txt").write_bytes(b"deep")
    (folder.path / "long.bin").write_bytes(LONG)
    (tmp_path / "secret.txt").write_bytes(b"secret")
    return running.anonymous


async def test_bytes_are_sent_with_what_is_known_of_them(client: Client) -> None:
    response = await client.get("/api/files/bytes")

    assert (response.status, response.body) == (200, b"0123456789")
    assert response.headers["content-length"] == "10"
    assert response.headers["content-type"] == "text/plain"
    assert response.headers["content-disposition"] == 'attachment; filename="digits.txt"'
    assert response.headers["last-modified"] == "Fri, 02 Jan 2026 03:04:05 GMT"
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    assert "content-encoding" not in response.headers


async def test_a_path_is_sent_part_by_part(client: Client) -> None:
    async with client.stream("GET", "/api/files/path/long.bin") as response:
        parts = [part async for part in response.parts()]

    assert b"".join(parts) == LONG
    assert max(map(len, parts)) < len(LONG)
    assert response.headers["content-length"] == str(len(LONG))
    assert response.headers["content-type"] == "application/octet-stream"
    assert {"etag", "last-modified"} <= response.headers.keys()
    assert open_files() == []


@pytest.mark.parametrize(
    ("wanted", "status", "body", "field"),
    [
        ("bytes=0-0", 206, b"0", "bytes 0-0/10"),
        ("bytes=4-", 206, b"456789", "bytes 4-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=0-5,3-7", 206, b"01234567", "bytes 0-7/10"),
        ("bytes=7-99", 206, b"789", "bytes 7-9/10"),
        ("bytes=x", 200, b"0123456789", None),
        ("pages=1-2", 200, b"0123456789", None),
    ],
)
async def test_a_range_is_sent_alone(client: Client, wanted: str, status: int, body: bytes, field: str | None) -> None:
    response = await client.get("/api/files/bytes", headers={"range": wanted})

    assert (response.status, response.body) == (status, body)
    assert response.headers.get("content-range") == field
    assert response.headers["content-length"] == str(len(body))


async def test_several_ranges_stand_in_one_body(client: Client) -> None:
    response = await client.get("/api/files/path/long.bin", headers={"range": "bytes=0-1,300000-699999,-2"})
    boundary = response.headers["content-type"].removeprefix("multipart/byteranges; boundary=").encode()

    parts = [part.partition(b"\r\n\r\n") for part in response.body.split(b"\r\n--" + boundary)[1:-1]]
    assert response.status == 206
    assert response.headers["content-length"] == str(len(response.body))
    assert [body for _, _, body in parts] == [LONG[:2], LONG[300000:700000], LONG[-2:]]
    assert parts[1][0].endswith(b"content-range: bytes 300000-699999/1048576")
    assert "content-range" not in response.headers


async def test_a_range_behind_the_end_is_refused_with_the_length(client: Client) -> None:
    response = await client.get("/api/files/bytes", headers={"range": "bytes=10-"})

    assert (response.status, response.json()["code"]) == (416, "range_not_satisfiable")
    assert response.headers["content-range"] == "bytes */10"
    assert open_files() == []


async def test_only_get_has_ranges(client: Client) -> None:
    head = await client.request("HEAD", "/api/files/bytes", headers={"range": "bytes=0-1"})
    made = await client.post("/api/files/made?name=a", headers={"range": "bytes=0-1", "if-none-match": "*"})

    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "10")
    assert (made.status, made.body) == (200, b"of a")


async def test_an_empty_file_is_a_file(client: Client) -> None:
    response = await client.get("/api/files/empty", headers={"range": "bytes=0-"})

    assert (response.status, response.body, response.headers["content-length"]) == (200, b"", "0")
    assert response.headers["content-disposition"] == "attachment"


async def test_a_client_that_has_the_file_gets_nothing(client: Client) -> None:
    for path in ("/api/files/bytes", "/api/files/path/long.bin"):
        first = await client.get(path)
        tag, modified = first.headers["etag"], first.headers["last-modified"]
        for headers in (
            {"if-none-match": tag},
            {"if-none-match": f'"x", W/{tag}'},
            {"if-none-match": "*"},
            {"if-modified-since": modified},
            {"if-modified-since": "Fri, 01 Jan 2100 00:00:00 GMT"},
        ):
            again = await client.get(path, headers=headers)
            assert (again.status, again.body) == (304, b""), headers
            assert (again.headers["etag"], again.headers["last-modified"]) == (tag, modified)
        for headers in (
            {"if-none-match": '"x"'},
            {"if-none-match": '"x"', "if-modified-since": modified},
            {"if-modified-since": "Fri, 01 Jan 1999 00:00:00 GMT"},
            {"if-modified-since": "yesterday"},
            {"if-match": tag},
            {"if-match": "*", "if-unmodified-since": "Fri, 01 Jan 1999 00:00:00 GMT"},
            {"if-unmodified-since": modified},
        ):
            assert (await client.get(path, headers=headers)).status == 200, headers
        for headers in (
            {"if-match": '"x"'},
            {"if-match": f"W/{tag}"},
            {"if-unmodified-since": "Fri, 01 Jan 1999 00:00:00 GMT"},
        ):
            failed = await client.get(path, headers=headers)
            assert (failed.status, failed.json()["code"]) == (412, "precondition_failed"), headers
    assert open_files() == []


async def test_a_download_continues_only_with_the_same_file(client: Client) -> None:
    first = await client.get("/api/files/bytes")
    tag, modified = first.headers["etag"], first.headers["last-modified"]
    for condition, status in (
        (tag, 206),
        (modified, 206),
        (f"W/{tag}", 200),
        ('"x"', 200),
        ("Fri, 01 Jan 2100 00:00:00 GMT", 200),
        ("x", 200),
    ):
        response = await client.get("/api/files/bytes", headers={"range": "bytes=4-", "if-range": condition})
        assert response.status == status, condition

    path = folder.path / "deep" / "fresh.txt"
    path.write_bytes(b"0123456789")
    fresh = await client.get("/api/files/below?name=deep/fresh.txt")
    headers = {"range": "bytes=4-", "if-range": fresh.headers["last-modified"]}
    os.utime(path)
    # Changed within this second: its date does not tell one state from another.
    assert (await client.get("/api/files/below?name=deep/fresh.txt", headers=headers)).status == 200


async def test_a_changed_file_has_another_tag(client: Client) -> None:
    first = await client.get("/api/files/path/long.bin")
    os.utime(folder.path / "long.bin", (1, 1))
    again = await client.get("/api/files/path/long.bin", headers={"if-none-match": first.headers["etag"]})

    assert again.status == 200
    assert again.headers["etag"] != first.headers["etag"]
    assert again.headers["last-modified"] == "Thu, 01 Jan 1970 00:00:01 GMT"


@pytest.mark.parametrize(
    "name",
    ["../secret.txt", "deep/../../secret.txt", "{outside}", "link/note.txt", "link.txt", "deep", "none.txt", "", "."],
)
async def test_nothing_outside_of_the_root_is_sent(client: Client, name: str) -> None:
    outside = str(folder.path.parent / "secret.txt")
    (folder.path / "link").symlink_to(folder.path / "deep")
    (folder.path / "link.txt").symlink_to(outside)

    response = await client.get("/api/files/below", params={"name": name.format(outside=outside)})

    assert (response.status, response.json()["code"]) == (404, "not_found")
    [event] = refused
    assert event.endpoint.startswith("Files.below ")
    assert event.reason
    assert b"secret" not in response.body
    assert failures == []


async def test_what_is_below_the_root_is_sent(client: Client) -> None:
    assert (await client.get("/api/files/below?name=deep/note.txt")).body == b"deep"
    assert (await client.get("/api/files/below?name=./deep//note.txt")).body == b"deep"
    assert open_files() == []


async def test_what_is_no_regular_file_is_not_opened(client: Client) -> None:
    os.mkfifo(folder.path / "fifo")
    (folder.path / "null").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder.path / "s"))
        for name, reason in (
            ("fifo", "is a device"),
            ("s", "is a device"),
            ("null", "is a symbolic link"),
            ("deep", "is a directory"),
            ("x" * 300, "does not exist"),
        ):
            response = await client.get(f"/api/files/path/{name}")
            assert (response.status, refused.pop().reason) == (404, reason)
    assert failures == []


async def test_bytes_from_elsewhere_have_no_ranges(client: Client) -> None:
    response = await client.get("/api/files/source", headers={"range": "bytes=0-1"})
    known = await client.get("/api/files/source", headers={"if-none-match": '"p3"'})
    head = await client.request("HEAD", "/api/files/source")

    assert (response.status, len(response.body)) == (200, 30)
    assert response.headers["accept-ranges"] == "none"
    assert (known.status, known.body) == (304, b"")
    assert (head.status, head.headers["content-length"]) == (200, "30")
    assert folder.lines == ["closed"]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("length=29", "gave more bytes than its length= says, 29"),
        ("length=31", "gave 30 bytes, and its length= says 31"),
        ("fails=true", "the other end is gone"),
    ],
)
async def test_a_source_that_breaks_its_word_cuts_the_body(client: Client, query: str, reason: str) -> None:
    with pytest.raises(ConnectionError):
        await client.get(f"/api/files/source?{query}")

    [failure] = failures
    assert reason in str(failure.error)
    assert "Raised by the file of Files.of_source " in failure.error.__notes__[0]
    assert finished[-1].code == "internal_error"
    assert folder.lines == ["closed"]


async def test_a_client_that_goes_closes_the_file(client: Client) -> None:
    async with client.stream("GET", "/api/files/path/long.bin") as response:
        await anext(response.parts())
        assert open_files() == ["long.bin"]
    async with client.stream("GET", "/api/files/stuck") as response:
        await anext(response.parts())

    assert open_files() == []
    assert folder.lines == ["closed"]
    assert failures == []


async def test_a_file_that_is_cut_while_it_is_sent_ends_the_body(client: Client) -> None:
    async with client.stream("GET", "/api/files/path/long.bin") as response:
        parts = response.parts()
        await anext(parts)
        os.truncate(folder.path / "long.bin", 1000)
        with pytest.raises(ConnectionError):
            async for _ in parts:
                pass

    assert "it was cut while it was sent" in str(failures[0].error)


async def test_a_page_that_is_shown_runs_nothing(client: Client) -> None:
    for name, inline, is_boxed in (
        ("a.html", True, True),
        ("a.svg", True, True),
        ("a.pdf", True, False),
        ("a.html", False, False),
    ):
        response = await client.get(f"/api/files/page/{name}?inline={'true' if inline else 'false'}")
        assert response.headers["content-security-policy"].startswith("sandbox;") is is_boxed
        assert response.headers["content-disposition"].startswith("inline" if inline else "attachment")
    own = await client.get("/api/files/own-policy")
    assert own.headers["content-security-policy"] == "default-src 'self'"


async def test_what_is_not_a_file_is_an_ordinary_response(running: TestApp, client: Client) -> None:
    user = await running.user()
    file = await user.get("/api/files/maybe?what=file")
    response = await user.get("/api/files/maybe?what=response")
    nothing = await user.get("/api/files/maybe?what=nothing")

    assert (file.status, file.body, file.headers["cache-control"]) == (200, b"1", "private, max-age=60")
    assert (response.status, response.body) == (200, b"no")
    assert nothing.status == 404
    assert (await client.get("/api/files/maybe?what=file")).status == 401


async def test_what_is_written_with_a_file_is_committed_before_it(client: Client) -> None:
    await client.post("/api/files/made?name=seen")

    # The app has one connection.
    names = [row["name"] for row in (await client.get("/api/file_attachments")).data]
    assert "seen" in names


def open_files() -> list[str]:
    """The files of the folder that this process has open."""
    links = [Path(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")]
    found = [Path(os.readlink(link)) for link in links if link.is_symlink()]
    return [path.name for path in found if folder.path in path.parents]
