"""No two modules import each other, directly or over others: each can be read, and changed, without what uses it.

Imports inside functions count, and those for type checkers as well.
"""

import grimp
import pytest

ACCEPTED = (
    # A service calls the verbs of its unit of work and works with accounts in it; the registry makes both for the unit.
    "services.accounts services.service services.service_registry services.unit_of_work",
)
"""Cycles for type checkers alone, each with a reason why another module would not make it clearer."""


PUBLIC_NAMES_ONLY = (
    *("accounts.sign_in", "console.console_sign_in", "health"),
    *("openapi.openapi_controller", "openapi.pages_controllers"),
)
"""Modules that import what users import, which is loaded at its first use."""


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    built = grimp.build_graph("gatepost", cache_dir=None)
    for module in PUBLIC_NAMES_ONLY:
        built.remove_import(importer=f"gatepost.{module}", imported="gatepost")
    return built


@pytest.fixture(scope="module")
def run_time_graph() -> grimp.ImportGraph:
    return grimp.build_graph("gatepost", exclude_type_checking_imports=True, cache_dir=None)


def cycles(graph: grimp.ImportGraph) -> list[set[str]]:
    """Groups of modules each of which imports all others of its group, at least over some of them."""
    behind = {module: graph.find_upstream_modules(module) for module in graph.modules}
    groups = {
        frozenset({module, *(other for other in behind[module] if module in behind[other])}) for module in graph.modules
    }
    return [set(group) for group in groups if len(group) > 1]


def test_modules_import_each_other_only_where_a_reason_is_given(graph: grimp.ImportGraph) -> None:
    accepted = [{f"gatepost.{name}" for name in names.split()} for names in ACCEPTED]
    assert [sorted(group) for group in cycles(graph) if not any(group <= names for names in accepted)] == []


def test_none_does_at_run_time(run_time_graph: grimp.ImportGraph) -> None:
    assert cycles(run_time_graph) == []


def test_a_cycle_is_found_however_long_it_is() -> None:
    graph = grimp.ImportGraph()
    for importer, imported in ("ab", "bc", "ca", "cd", "de"):
        graph.add_import(importer=importer, imported=imported)
    assert cycles(graph) == [{"a", "b", "c"}]
