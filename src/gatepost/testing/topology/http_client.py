"""A client of HTTP/1.1 that repeats nothing by itself: what became of a request is what this test is about."""

import asyncio

import msgspec

HEAD_BYTES_MAX = 262_144


class ProblemBody(msgspec.Struct):
    """What is read of a problem document."""

    code: str | None = None


class HTTPResponse(msgspec.Struct, frozen=True):
    """A response. `headers` are by lower-case name."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str | None:
        """The code of a problem; None where it is none, or has none."""
        if self.status < 400:
            return None
        try:
            return msgspec.json.decode(self.body, type=ProblemBody).code
        except msgspec.DecodeError:
            return None


class NotSent(Exception):
    """No connection could be opened: the server has seen nothing of the request."""


class HTTPConnection:
    """One connection to a port of this machine, opened when it is needed, kept as long as the server keeps it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(
        self, method: str, path: str, headers: dict[str, str], content: bytes | None, *, seconds: float
    ) -> HTTPResponse:
        """Send a request and read the response. Raises `NotSent`, `TimeoutError`, and `ConnectionError` where the
        server closes the connection before the response is complete."""
        deadline = asyncio.get_running_loop().time() + seconds
        try:
            async with asyncio.timeout_at(deadline):
                reader, writer = self._streams or await self._open()
        except (OSError, TimeoutError) as error:
            raise NotSent from error
        try:
            async with asyncio.timeout_at(deadline):
                writer.write(_encoded(method, path, {"host": f"127.0.0.1:{self._port}", **headers}, content))
                return await self._read(reader)
        except asyncio.IncompleteReadError as error:
            self.close()
            raise ConnectionError("cut off") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=HEAD_BYTES_MAX)
        return self._streams

    async def _read(self, reader: asyncio.StreamReader) -> HTTPResponse:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status_line, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        status = int(status_line.split(" ", 2)[1])
        if headers.get("transfer-encoding") == "chunked":
            body = await _read_chunks(reader)
        elif "content-length" in headers:
            body = await reader.readexactly(int(headers["content-length"]))
        else:
            body = b"" if status in (204, 304) else await reader.read()
        if "close" in headers.get("connection", "") or status_line.startswith("HTTP/1.0"):
            self.close()
        return HTTPResponse(status, headers, body)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    while size := int((await reader.readline()).split(b";")[0] or b"0", 16):
        parts.append(await reader.readexactly(size))
        await reader.readline()
    await reader.readline()
    return b"".join(parts)


def _encoded(method: str, path: str, headers: dict[str, str], content: bytes | None) -> bytes:
    if content is not None:
        headers = {"content-type": "application/json", **headers, "content-length": str(len(content))}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (content or b"")
