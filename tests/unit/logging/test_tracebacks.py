"""A traceback as it may be shown: bounded, with the frames that say where it failed."""

from collections.abc import Callable

from gatepost.logging.tracebacks import traceback_text


def _error_of(fail: Callable[[], object]) -> BaseException:
    try:
        fail()
    except Exception as error:
        return error
    raise AssertionError("it does not fail")


def _down(depth: int, message: str) -> None:
    exec(f"def step_{depth}():\n  go()\nstep_{depth}()", {"go": lambda: _next(depth, message)})  # noqa: S102


def _next(depth: int, message: str) -> None:
    if depth == 0:
        raise ValueError(message)
    _down(depth - 1, message)


def test_of_a_deep_traceback_the_middle_is_left_out() -> None:
    shown = traceback_text(_error_of(lambda: _down(60, "the cause")), 6000)
    assert "step_60" in shown
    assert "step_0\n" in shown
    assert "step_30\n" not in shown
    assert "characters left out" in shown
    assert shown.endswith("ValueError: the cause")
    assert len(shown) < 6200


def test_a_long_message_does_not_push_the_frames_out() -> None:
    shown = traceback_text(_error_of(lambda: _down(3, "x" * 5_000_000)), 6000)
    assert "step_0\n" in shown
    assert "ValueError: xxx" in shown
    assert "(500" in shown  # how many characters it had
    assert len(shown) < 6200


def test_no_half_of_a_secret_is_left_where_a_text_was_cut() -> None:
    secret = "postgresql://ada:correct-horse-battery@db/shop"
    for length in range(2000, 2200, 7):
        shown = traceback_text(_error_of(lambda: _down(40, f"{secret} " * 200)), length)
        assert "correct-horse" not in shown
        assert "horse-battery" not in shown
