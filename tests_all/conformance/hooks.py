"""Loaded by schemathesis (`SCHEMATHESIS_HOOKS`): drops the reports that `exceptions.py` exempts.

Dropped here, and not afterwards, a report does not end the search for others in its operation.
"""

from typing import Any

import schemathesis
from tests_all.conformance.exceptions import is_exempted


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Whether a report counts."""
    request = response.request
    headers = "".join(f"\n{name}: {_text(value)}" for name, value in request.headers.items())
    sent = f"{request.method} {request.path_url}{headers}"
    return not is_exempted(failure.checks, response.status_code, sent, response.text or "")


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")
