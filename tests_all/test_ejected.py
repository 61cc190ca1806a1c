"""What `gatepost eject` writes passes the tests of what it replaces, unchanged, and strict type checkers."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
INTEGRATION = Path("tests/integration")

# What a service's own verbs are documented not to do.
OF_SERVICES = (
    "contract/test_totals_and_offsets.py",  # only the derived list knows its total
    "contract/test_documents.py::test_derived_verbs_keep_the_zeros_that_were_written",
    "values/test_values.py::test_a_row_is_found_by_a_key_as_shown[single]",  # floats as keys
    "values/test_values.py::test_a_row_is_found_by_a_key_as_shown[floating]",
    "values/test_values.py::test_a_row_is_found_by_a_key_as_shown[long_floating]",
    "inheritance/test_what_classes_add.py::test_discriminators_mean_what_the_column_means_by_them",  # the ORM compares
)

# What the derived verbs send, and how their failures look in the log.
OF_DERIVED_VERBS = (
    "contract/test_unchanged_rows.py::test_an_unchanged_row_is_read_and_not_written",
    "policies/test_candidates.py::test_a_candidate_costs_no_statement_of_its_own",
    "policies/test_hidden_references.py::test_only_references_to_keys_that_are_not_shown_to_all_are_looked_up",
    "policies/test_named_policies.py::test_the_log_line_of_the_500_names_the_policy_and_its_line",
)

# There is no `expand=` beside a DTO, and what nobody sets is no field of a body.
OF_DTOS = (
    "bookshop/test_ordering.py::test_a_filtered_page_shows_each_book_with_its_author",
    "contract/test_bad_bodies.py::test_no_body_is_an_internal_error",
    "contract/test_bad_queries.py::test_a_query_follows_few_relations",
    "contract/test_bad_queries.py::test_an_expansion_of_one_row_follows_few_relations",
    "contract/test_changing.py::test_a_whole_row_may_be_sent_back_with_a_change_in_it",
    "contract/test_changing.py::test_a_patch_that_is_refused_says_where",
    "contract/test_changing.py::test_if_none_match_gets_304_for_the_current_version",
    "contract/test_changing.py::test_read_only_fields_that_are_sent_back_beside_a_mistake_are_none",
    "contract/test_creating.py::test_a_creation_that_is_refused_says_why_and_writes_nothing[editor-works-body2-",
    "contract/test_creating.py::test_a_creation_that_is_refused_says_why_and_writes_nothing[editor-people-body10-",
    "contract/test_shape.py::test_a_hidden_target_shows_as_null_beside_its_column",
    "contract/test_shape.py::test_expanded_rows_show_no_more_than_they_do_themselves",
    "contract/test_shape.py::test_expansions_stand_beside_their_columns_three_deep",
    "contract/test_shape.py::test_fields_choose_what_is_shown[fields=title&expand=",
    "contract/test_shape.py::test_rows_of_which_nothing_is_left_to_show_are_still_json[fields=diary&expand=",
    "contract/test_shape.py::test_what_is_refused_is_hinted_at[people-expand=",
    "contract/test_shape.py::test_what_is_refused_is_hinted_at[works-expand=",
)

SERVICE_TESTS = ("bookshop/test_ordering.py", "contract", "policies", "values", "inheritance")

# What these try is decided before a verb runs, at the start of an app or without any app: it is the same with every
# service, and `make test` has tried it.
WITHOUT_VERBS = (
    "contract/test_bad_bodies.py",
    "contract/test_bad_queries.py",
    "contract/test_calls.py",
    "contract/test_codings.py",
    "policies/test_casts.py",
    "policies/test_readable_policies.py",
    "policies/test_sql_trials.py",
    "values/test_read_only_types.py",
)

# Services of these apps that have a list of their own keep it: such tests would try what `make test` has tried.
KEPT_LISTS = "not (served and (shows_every_row or finds_the_rows or meet_every_row or not_know_is_refused))"
OF_CONTRACT = "bad_bodies bad_queries changing creating cursors enum_arrays filters keys naive_and_domains shape wire"
OF_POLICIES = "candidates composite_references hidden_rows policy_matrix"
DTO_TESTS = (
    "bookshop/test_ordering.py",
    *(f"contract/test_{name}.py" for name in OF_CONTRACT.split()),
    *(f"policies/test_{name}.py" for name in OF_POLICIES.split()),
)


def run_ejected(part: str, tests: Sequence[str], left_out: Sequence[str], folder: Path) -> str:
    """Run existing tests on apps in which this part of every resource is ejected. Returns what pytest printed."""
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.ejected_apps"]
    words += ["--ejected", part, "-k", KEPT_LISTS, *(str(INTEGRATION / each) for each in tests)]
    words += [word for each in left_out for word in ("--deselect", str(INTEGRATION / each))]
    environment = {**os.environ, "PYTEST_DEBUG_TEMPROOT": str(folder)}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1_800, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    found = re.search(r"^ejected: (\d+)$", done.stdout, re.M)
    assert found is not None
    assert int(found[1]) > 0
    return done.stdout


@pytest.mark.parametrize("tests", SERVICE_TESTS)
def test_existing_tests_pass_with_ejected_services(tests: str, tmp_path: Path) -> None:
    said = run_ejected("service", [tests], [*OF_SERVICES, *OF_DERIVED_VERBS, *WITHOUT_VERBS], tmp_path)
    assert re.findall(r"^without an ejected verb: (.+)$", said, re.M) == []


def test_existing_tests_pass_with_ejected_dtos(tmp_path: Path) -> None:
    run_ejected("dto", DTO_TESTS, OF_DTOS, tmp_path)


APPS = {
    "examples.bookshop.app": ".",
    "examples.bookstore.app": ".",
    "examples.conduit.conduit": ".",
    "all_types_app": "contract",
    "structured_documents_app": "contract",
    "policy_matrix_app": "policies",
    "field_rules_app": "policies",
    "library_app": "resources",
}

WRITE = """
import sys
from importlib import import_module
from pathlib import Path
from tests.ejected_apps import all_ejected
app = import_module(sys.argv[1]).app
for part in ("service", "dto"):
    for _, served, found in all_ejected(app, part):
        name = f"{sys.argv[1].rpartition('.')[2]}_{served.entity.name}_{part}"
        Path(f"{name}.py").write_text(found.source)
"""


def test_type_checkers_and_linters_accept_what_is_ejected(tmp_path: Path) -> None:
    """All apps at once: what a type checker costs is to read SQLAlchemy and Gatepost, which it does once."""
    paths = [str(ROOT / "src"), str(ROOT), *(str(ROOT / INTEGRATION / each) for each in sorted({*APPS.values()}))]
    environment: dict[str, Any] = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "MYPYPATH": os.pathsep.join(paths),
    }
    checked = {"typeCheckingMode": "strict", "pythonVersion": "3.11", "extraPaths": paths, "include": ["."]}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(checked))

    def run(*words: str) -> None:
        command = [sys.executable, *words]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    for module in APPS:
        run("-c", WRITE, module)
        assert len(list(tmp_path.glob(f"{module.rpartition('.')[2]}_*.py"))) >= 2
    written = [path.name for path in tmp_path.glob("*.py")]
    run("-m", "mypy", "--strict", "--follow-imports=silent", "--explicit-package-bases", *written)
    run("-m", "pyright", f"--pythonpath={sys.executable}")
    run("-m", "ruff", "format", "--isolated", "--check", ".")
    run("-m", "ruff", "check", "--isolated", "--select", "E,F,N,UP,W", ".")
