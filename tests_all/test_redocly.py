"""A second opinion on our documents: Redocly's linter, of npm."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.node import find_node

ROOT = Path(__file__).parents[1]

REDOCLY = "@redocly/cli@2.77.0"
"""Pinned: without a version npm may choose an older one, silently."""

EXAMPLES = [
    "examples.bookshop.app:app",
    "examples.conduit.conduit:app",
    "examples.bookstore.app:app",
    "described_app:app",
]


@pytest.fixture(scope="module")
def redocly(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that lints."""
    node = find_node()
    assert node is not None, "Node.js and npm are not installed"
    folder = tmp_path_factory.mktemp("redocly")
    subprocess.run(
        [*node.npm, "install", "--no-save", "--no-audit", "--no-fund", "--prefix", str(folder), REDOCLY],
        check=True,
        capture_output=True,
        timeout=300,
    )
    return [node.program, str(folder / "node_modules" / "@redocly" / "cli" / "bin" / "cli.js")]


@pytest.mark.parametrize("example", EXAMPLES)
def test_redocly_finds_no_error_in_a_document(example: str, redocly: list[str], tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"
    paths = os.pathsep.join([str(ROOT), str(ROOT / "src"), str(ROOT / "tests" / "integration" / "openapi")])
    subprocess.run(
        [
            sys.executable,
            "-c",
            "from gatepost.cli.main import main; main()",
            "openapi",
            "--app",
            example,
            "--output",
            str(file),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths},
        check=True,
        timeout=60,
    )
    linted = subprocess.run(
        [*redocly, "lint", str(file), "--format=json"],
        check=False,
        cwd=tmp_path,
        env={**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    found, _ = json.JSONDecoder().raw_decode(linted.stdout[linted.stdout.index("{") :])

    assert [problem["message"] for problem in found["problems"] if problem["severity"] == "error"] == []
    assert "no-unused-components" not in {problem["ruleId"] for problem in found["problems"]}
