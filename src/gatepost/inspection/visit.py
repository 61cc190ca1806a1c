"""One examination of one server: its client, and the responses that several checks look at."""

import secrets

import msgspec

from gatepost.errors import ConfigurationError
from gatepost.inspection.raw_client import RateLimited, RawClient, Reply

OPENAPI_PATH = "/openapi.json"


class Skipped(Exception):
    """A check cannot be made, for the reason in the message."""


class Visit:
    """What checks share. `page` is what is examined, `missing` a path that does not exist, `odd` an unknown method.

    `post_path` takes POST (None where none is known), `origin` is one that the server should allow (None likewise).
    `patience_seconds` is how long the server may tolerate a slow client.
    """

    def __init__(
        self, client: RawClient, *, post_path: str | None = None, origin: str | None = None, patience_seconds: float
    ) -> None:
        self.client = client
        self.target = client.target
        self.post_path = post_path
        self.origin = origin
        self.patience_seconds = patience_seconds
        self.page = self.head = self.missing = self.odd = Reply()

    @property
    def responses(self) -> dict[str, Reply]:
        """The responses that every header is looked for on, by their requests."""
        return {"the page": self.page, "HEAD": self.head, "a 404": self.missing, "an unknown method": self.odd}

    def post_target(self) -> str:
        """The path that takes POST. Raises `Skipped` where none is known."""
        if self.post_path is None:
            raise Skipped("no path that takes POST is known: name one with --post")
        return self.post_path

    async def post(self, content_type: str, body: bytes) -> Reply:
        """The response to a body of this type. Raises `Skipped` where no path that takes POST is known."""
        return await self.client.ask("POST", self.post_target(), f"content-type: {content_type}", body=body)

    async def begin(self) -> None:
        """Get the responses that checks share. Raises `ConfigurationError` where no server responds."""
        client, target = self.client, self.target
        try:
            self.page = await client.ask("GET")
        except (OSError, TimeoutError) as error:
            hint = "Start the server, or correct the URL."
            reason = str(error) or type(error).__name__
            raise ConfigurationError(f"cannot be reached: {reason}.", location=target.url, hint=hint) from None
        except RateLimited as error:
            hint = f"Try again in {error.seconds} seconds."
            raise ConfigurationError("its rate limit refuses every request.", location=target.url, hint=hint) from None
        if not self.page.status:
            raise ConfigurationError(f"responds with {self.page}.", location=target.url, hint="Is it a web server?")
        self.head = await client.ask("HEAD")
        self.missing = await client.ask("GET", f"/{secrets.token_hex(8)}")
        self.odd = await client.ask("BREW")
        self.post_path = self.post_path or await self._find_post_path()

    async def _find_post_path(self) -> str | None:
        options = await self.client.ask("OPTIONS")
        if "POST" in (options.header("allow") or ""):
            return self.target.path
        described = await self.client.ask("GET", OPENAPI_PATH)
        return first_post(described.body) if described.status == 200 else None


def first_post(openapi: bytes) -> str | None:
    """The first path of an OpenAPI description that takes POST and has no parameters in it."""
    try:
        paths = msgspec.json.decode(openapi, type=_OpenAPI).paths
    except msgspec.DecodeError:
        return None
    return next((path for path, methods in paths.items() if "post" in methods and "{" not in path), None)


class _OpenAPI(msgspec.Struct):
    paths: dict[str, dict[str, object]]
