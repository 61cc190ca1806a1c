"""Every code of Gatepost is one that some operation describes, or is said of methods and paths that are none,
and of the console, which is not part of the API."""

import ast
from pathlib import Path

from gatepost.error_codes import CODES
from gatepost.openapi import refusal_codes

OF_NO_OPERATION = {"method_not_allowed", "method_not_implemented", "console_unavailable"}


def test_every_code_is_described_by_some_operation() -> None:
    tree = ast.parse(Path(refusal_codes.__file__).read_text())
    named = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}

    assert CODES.keys() - named == OF_NO_OPERATION


def test_no_status_of_what_may_refuse_any_request_is_a_success() -> None:
    assert all(CODES[code].problem.status >= 400 for code in refusal_codes.EVERYWHERE)
    assert len(set(refusal_codes.EVERYWHERE)) == len(refusal_codes.EVERYWHERE)
