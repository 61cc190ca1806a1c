"""The simulation of `tests/unit/gateway` finds rules for overload wanting that are not Gatepost's."""

import pytest
from overload_mutants import (
    HALF_OF_TIME,
    OLDEST_FIRST,
    UNLIMITED_REFUSALS,
    BoundedQueue,
    ControlledDelay,
    RefusesOnArrival,
)
from overload_simulation import Make
from tests.unit.gateway.test_overload_simulation import CASES, MEASURED, World, at_measured_costs

from gatepost.gateway.admission import AdmissionQueue
from gatepost.gateway.admission_rule import RULE, AdmissionRule


@pytest.mark.parametrize(
    ("make", "rule", "case"),
    [
        (RefusesOnArrival, RULE, "c 200"),
        (RefusesOnArrival, RULE, "c 800"),
        (RefusesOnArrival, RULE, "d"),
        (ControlledDelay, RULE, "d"),
        (ControlledDelay, RULE, "e"),
        (BoundedQueue, RULE, "d"),
        (AdmissionQueue, OLDEST_FIRST, "e, more"),
        (AdmissionQueue, HALF_OF_TIME, "d, more"),
        (AdmissionQueue, UNLIMITED_REFUSALS, "d, more"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_the_simulation_finds_other_rules_wanting(make: Make, rule: AdmissionRule, case: str) -> None:
    _, measure, bound = CASES[case]
    assert measure(World(MEASURED, make, rule)) < bound <= at_measured_costs(case)
