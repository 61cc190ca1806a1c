"""A production server does not start with what is unsafe, and names all of it at once."""

import pytest

from gatepost.environment import load_settings
from gatepost.errors import ConfigurationError
from gatepost.server.safety import refuse_unsafe

SAFE = {
    "GATEPOST_ENV": "production",
    "DATABASE_URL": "postgresql://db/shop",
    "GATEPOST_SIGNING_KEY": "a key",
}


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"DATABASE_URL": ""}, "DATABASE_URL is not set"),
        ({"GATEPOST_SIGNING_KEY": ""}, "GATEPOST_SIGNING_KEY is not set: make one with `openssl genpkey"),
        ({"GATEPOST_LIMIT_FACTOR": "2"}, "GATEPOST_LIMIT_FACTOR raises every limit"),
    ],
)
def test_what_is_unsafe_is_refused_in_production_only(changed: dict[str, str], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        refuse_unsafe(load_settings({**SAFE, **changed}))
    refuse_unsafe(load_settings({**SAFE, **changed, "GATEPOST_ENV": "development"}))


def test_everything_that_is_unsafe_is_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as refusal:
        refuse_unsafe(load_settings({"GATEPOST_ENV": "production", "GATEPOST_LIMIT_FACTOR": "100"}))
    for variable in ("DATABASE_URL", "GATEPOST_SIGNING_KEY", "GATEPOST_LIMIT_FACTOR"):
        assert f"{variable} " in str(refusal.value)


def test_what_is_safe_is_admitted() -> None:
    refuse_unsafe(load_settings(SAFE))
    refuse_unsafe(load_settings({**SAFE, "GATEPOST_LIMIT_FACTOR": "1"}))
