"""The connection to PostgreSQL is cut before each message of a request: no answer claims what nobody can know."""

import pytest
from scenes import RESOURCES, VERBS, Scene, span_of
from wire import Fault

pytestmark = pytest.mark.asyncio(loop_scope="module")

READS = ("list", "get", "change nothing")


@pytest.mark.parametrize("resource", RESOURCES)
@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in READS])
async def test_a_write_is_unknown_inside_its_span_and_nowhere_else(scene: Scene, verb: str, resource: str) -> None:
    undisturbed = await scene.run(verb, resource)
    assert (undisturbed.code, undisturbed.is_written) == ("ok", True)
    begin, end = span_of(undisturbed.messages)
    seen: set[str] = set()

    for index, message in enumerate(undisturbed.messages):
        outcome = await scene.run(verb, resource, Fault(index))
        where = f"{index} {message.name} of {begin}..{end}"
        if outcome.code == "ok":
            assert outcome.is_written, where
        elif index < begin:
            assert (outcome.code, outcome.is_written) == ("database_unavailable", False), where
            assert "retry-after" in outcome.answer.headers, where
        elif index <= end:
            assert (outcome.answer.status, outcome.code) == (503, "outcome_unknown"), where
            assert "retry-after" not in outcome.answer.headers, where
        else:
            pytest.fail(f"{outcome.code} at {where}")
        seen.add(outcome.code)
    assert seen >= {"database_unavailable", "outcome_unknown"}


@pytest.mark.parametrize("resource", RESOURCES)
@pytest.mark.parametrize("verb", READS)
async def test_what_only_reads_is_never_unknown(scene: Scene, verb: str, resource: str) -> None:
    undisturbed = await scene.run(verb, resource)
    assert undisturbed.code == "ok"
    for index in range(len(undisturbed.messages)):
        outcome = await scene.run(verb, resource, Fault(index))
        assert outcome.code in ("ok", "database_unavailable"), f"{index} of {undisturbed.messages}"
