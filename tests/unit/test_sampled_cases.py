"""Samples of cases: what they cover, who draws them, and what is left of the tests that are marked."""

import os
import subprocess
import sys
from itertools import combinations, product
from pathlib import Path
from random import Random

import pytest
from tests.sampled_cases import SampledCases, covering_sample

ROOT = Path(__file__).parents[2]
ACTORS = ("nobody", "owner", "other", "clerk")
VERBS = ("list", "get", "update", "delete", "create")
PATHS = ("plain", "served")
WHOLE = list(product(ACTORS, VERBS, PATHS))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("strength", "most"), [(1, 8), (2, 28), (3, 40)])
def test_a_sample_has_each_combination_of_so_many_values_in_few_cases(seed: int, strength: int, most: int) -> None:
    sample = covering_sample(WHOLE, strength, Random(seed))
    for places in combinations(range(3), strength):
        met, known = ({tuple(case[place] for place in places) for case in cases} for cases in (sample, WHOLE))
        assert met == known
    assert len(sample) <= most
    assert sample == sorted(sample, key=WHOLE.index)


def test_a_table_with_gaps_is_covered_as_far_as_it_goes() -> None:
    cases = [case for case in WHOLE if case[:2] != ("nobody", "delete")]
    sample = covering_sample(cases, 2, Random(1))
    assert {case[:2] for case in sample} == {case[:2] for case in cases}
    assert covering_sample([], 2, Random(1)) == []


def test_values_that_are_equal_and_of_other_types_are_two() -> None:
    assert len(covering_sample([(1,), (True,), (1.0,)], 1, Random(1))) == 3


def test_a_case_that_is_asked_for_alone_is_tried() -> None:
    assert covering_sample(WHOLE[7:8], 2, Random(1)) == WHOLE[7:8]
    assert SampledCases("1").some(WHOLE[7:8], 3) == WHOLE[7:8]


def test_a_seed_draws_the_same_cases_and_another_one_others() -> None:
    first, again, other = (SampledCases(seed).covering(WHOLE, strength=1) for seed in ("1", "1", "2"))
    assert first == again != other
    assert len(SampledCases("1").some(WHOLE, 3)) == 3
    assert SampledCases(None).some(WHOLE, 3) == SampledCases(None).covering(WHOLE, strength=1) == WHOLE


SUITE = """
import pytest

@pytest.mark.parametrize("way", ["derived", "served"])
@pytest.mark.parametrize("number", range(9))
@pytest.mark.sampled(strength=1)
def test_each_value(number, way):
    pass

@pytest.mark.parametrize("number", range(9))
@pytest.mark.sampled(count=2)
def test_two(number):
    pass

@pytest.mark.parametrize("number", range(3))
def test_whole(number):
    pass

def test_by_itself(sampled_cases):
    pass
"""
OTHERS_OFF = [option for name in ("valkey", "schemathesis", "xdist") for option in ("-p", f"no:{name}")]


def ids_of(folder: Path, *arguments: str) -> list[str]:
    """The tests of the suite that a run takes."""
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = sampled\n")
    (folder / "test_suite.py").write_text(SUITE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider", *OTHERS_OFF]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    shown = subprocess.check_output([*command, "--collect-only", *arguments], cwd=folder, env=environ, text=True)
    return [line.partition("::")[2] for line in shown.splitlines() if "::" in line]


def test_marked_tests_are_sampled_by_the_seed_and_whole_where_every_case_is_asked_for(tmp_path: Path) -> None:
    taken = ids_of(tmp_path, "--randomly-seed=1")
    values = [set(name[:-1].partition("[")[2].split("-")) for name in taken if name.startswith("test_each_value")]
    assert 9 <= len(values) <= 11
    assert set().union(*values) == {*"012345678", "derived", "served"}
    assert sum(name.startswith("test_two") for name in taken) == 2
    assert sum(name.startswith("test_whole") for name in taken) == 3
    assert len(ids_of(tmp_path, "--every-case", "-m", "sampled")) == 18 + 9 + 1
