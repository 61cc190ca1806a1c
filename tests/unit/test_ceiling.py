"""What keeps the comparison with the bare ceiling honest: it is short, and it sends the same headers."""

import ast
from pathlib import Path

from benchmarks import ceiling_data

from gatepost.declaring.rate_limits import RateLimit, minutes
from gatepost.gateway.buckets import LocalBuckets
from gatepost.gateway.header_profiles import NO_STORE, STRICT
from gatepost.gateway.limit_sets import LimitSet

CEILING = Path(ceiling_data.__file__).with_name("ceiling.py")


def test_the_ceiling_sends_the_headers_that_gatepost_sends() -> None:
    limit = RateLimit(1_000_000_000, per=minutes(15))
    policy, _ = LimitSet(LocalBuckets(), [("api", limit), ("api-actor", limit)], strict=False).write((0, 0))
    ours = dict((*STRICT, NO_STORE, policy, (b"content-type", b"application/json")))
    assert {**dict(ceiling_data.HEADERS), b"server": b""} == {**ours, b"server": b""}
    assert len(ceiling_data.HEADERS) == len(ours)


def test_the_ceiling_stays_under_80_lines_of_code() -> None:
    text = CEILING.read_text()
    code = {number for number, line in enumerate(text.splitlines(), 1) if line.strip()}
    for node in ast.parse(text).body:
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if is_docstring or isinstance(node, ast.Import | ast.ImportFrom):
            code -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    assert len(code) < 80
