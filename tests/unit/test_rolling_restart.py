"""`deploy/rolling-restart` restarts nothing where its arguments are wrong."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "deploy" / "rolling-restart"
ONE, TWO = "a=http://127.0.0.1:1", "b=http://127.0.0.1:2"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((ONE,), "One instance alone"),
        ((ONE, ONE), "a and a are the same instance"),
        ((ONE, "b=http://127.0.0.1:1/"), "a and b are the same instance"),
        ((ONE, "a=http://127.0.0.1:2"), "a and a are the same instance"),
        (("--timeout", "1m", ONE, TWO), "--timeout takes whole seconds, not '1m'."),
        (("--timeout", "-1", ONE, TWO), "--timeout takes whole seconds"),
        (("--settle", "z", ONE, TWO), "--settle takes seconds, not 'z'."),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_restarted(words: tuple[str, ...], sentence: str) -> None:
    done = subprocess.run(
        ["bash", str(SCRIPT), "--command", "echo restarted {}", *words], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
