"""Which pages of other origins may call, as it is declared: for a whole app by settings, or for one resource or mount.

The gate compiles it (`gateway/cors_rules.py`). Without a rule no other origin may read a response.
"""

import re
from collections.abc import Sequence

from gatepost.declaring.origins import Origins
from gatepost.errors import ConfigurationError

MAX_AGE_SECONDS = 7200
"""How long a browser may keep the response to a preflight: what Chromium allows at most."""

_NAME = re.compile(r"[!#$%&'+\-.^_`|~0-9A-Za-z]+")


class CORS:
    """A rule for calls across origins (Fetch standard, section 3.2).

    `origins` are exact (`https://shop.example`) or patterns whose star is one label (`https://*.shop.example`);
    `public` lets every page in instead, without credentials. `credentials` allows cookies. `headers` are request
    headers, `exposed` headers of responses, beyond those that Gatepost reads and sends. `CORS()` admits no origin.
    """

    __slots__ = ("credentials", "exposed", "headers", "max_age_seconds", "origins", "public")

    def __init__(  # noqa: PLR0913 - a declaration
        self,
        *origins: str,
        public: bool = False,
        credentials: bool = False,
        headers: Sequence[str] = (),
        exposed: Sequence[str] = (),
        max_age_seconds: int = MAX_AGE_SECONDS,
        location: str = "CORS",
    ) -> None:
        """Raises `ConfigurationError`, which names `location`, for a rule that admits nothing, or too much."""
        self.origins = Origins(origins, location=location)
        self.public = public
        self.credentials = credentials
        self.headers = tuple(name.lower() for name in headers)
        self.exposed = tuple(name.lower() for name in exposed)
        self.max_age_seconds = max_age_seconds
        if public and (credentials or origins):
            what = "credentials" if credentials else "a list of origins"
            hint = "List the origins: a public rule must not allow cookies." if credentials else "Keep one."
            raise ConfigurationError(f"CORS is public and has {what}.", location=location, hint=hint)
        for name in (*headers, *exposed):
            if _NAME.fullmatch(name) is None:
                hint = "List each header by name: `*` is not supported."
                raise ConfigurationError(
                    f"CORS has {name!r}, which is not a header name.", location=location, hint=hint
                )
        if max_age_seconds < 0:
            raise ConfigurationError("CORS has a negative max_age_seconds.", location=location)
