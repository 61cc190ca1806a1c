"""`gatepost doctor --gate`: all is well with `gatepost serve`, and nothing with a server that is bad on purpose."""

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.conftest import end_with_parent, run, wait_for
from tests.acceptance.responses_site import serving

from gatepost.embedded.postgresql import EmbeddedPostgreSQL

Environ = dict[str, str]

# What the HTTP server below the bad application does right, and what cannot be looked at on this machine.
OF_THE_SERVER = {
    *("URL length", "header count", "length and chunks together", "two lengths", "a length that is not a number"),
    *("an unknown transfer coding", "a space before the colon", "a NUL in a header"),
}
NOT_LOOKED_AT = {"encryption", "certificate", "TLS versions", "the allowed origin"}


def findings(report: Any) -> dict[str, str]:
    """The outcome of each check by its name."""
    return {finding["check"]: finding["outcome"] for found in report["subjects"].values() for finding in found}


def test_a_gatepost_server_gets_all_of_it(postgresql: EmbeddedPostgreSQL, tmp_path: Path, environ: Environ) -> None:
    with serving(postgresql, tmp_path) as site:
        url = f"http://127.0.0.1:{site.port}/api/notes"
        options = ["--gate", url, "--origin", "https://shop.example", "--patience", "12"]
        done = run("doctor", *options, "--json", cwd=tmp_path, environ=environ)
    report = json.loads(done.stdout)
    seen = findings(report)
    assert {check for check, outcome in seen.items() if outcome == "fail"} == set(), done.stdout
    assert {check for check, outcome in seen.items() if outcome != "ok"} == NOT_LOOKED_AT - {"the allowed origin"}
    assert (report["percent"], report["grade"], report["is_complete"]) == (100, "A", True)
    assert done.returncode == 0


@pytest.fixture
def bad_url(tmp_path: Path) -> Iterator[str]:
    shutil.copy(Path(__file__).parent / "insecure_app.py", tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--http", "1", "--port", str(port)]
    command += ["--workers-kill-timeout", "1", "insecure_app:app"]
    process = subprocess.Popen(
        command, cwd=tmp_path, preexec_fn=end_with_parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(lambda: process.poll() is not None or accepts(port), "the bad server")
        assert process.poll() is None
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(10)


def accepts(port: int) -> bool:
    """Whether somebody listens."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def test_a_bad_server_gets_a_hint_for_everything_that_an_application_can_do_wrong(
    bad_url: str, tmp_path: Path, environ: Environ
) -> None:
    done = run("doctor", "--gate", bad_url, "--patience", "0.5", cwd=tmp_path, environ=environ)
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    failed = [number for number, line in enumerate(lines) if line.startswith("  FAIL ")]
    names = {mark: {line[7:].partition(":")[0] for line in lines if line.startswith(f"  {mark} ")}
             for mark in ("ok  ", "--  ", "FAIL")}  # fmt: skip
    assert names["ok  "] == OF_THE_SERVER
    assert names["--  "] == NOT_LOOKED_AT
    assert all(lines[number + 1].startswith("       ") for number in failed), "a hint for each"
    assert lines[-1].startswith("Grade F, ")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("127.0.0.1:8000", "is not a URL. Write http://"),
        ("http://127.0.0.1:1/", "cannot be reached"),
        ("ftp://a", "is not a URL"),
    ],
)
def test_where_there_is_no_server_there_is_a_sentence(
    url: str, sentence: str, tmp_path: Path, environ: Environ
) -> None:
    done = run("doctor", "--gate", url, cwd=tmp_path, environ=environ)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
