"""`import gatepost` gives its names without loading what they need before they are used."""

import ast
import pickle
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import gatepost
from gatepost import gateway

SOURCE = Path(gatepost.__file__)
ROOT = Path(__file__).parents[2]
PUBLIC_MODULES = ("gatepost", "gatepost.gateway", "gatepost.testing", "gatepost.testing.topology")
RUN_FROM_A_CHECKOUT = (ROOT / "examples/bookshop/run.py", ROOT / "examples/bookshop/seed.py")
"""What `make run` does with the example, on Gatepost's own parts."""

IMPORT = re.compile(r"^from (gatepost[\w.]*) import (?:\(([^)]*)\)|(.+))$", re.MULTILINE)
MEMBER = re.compile(r"`gatepost\.(\w+)")
HEAVY = ("sqlalchemy", "asyncpg", "asyncio", "alembic", "granian", "joserfc", "rich", "structlog")


def read_by_type_checkers() -> dict[str, str]:
    """Name and module of every import in the file, those for the interpreter left out."""
    [block] = [node for node in ast.parse(SOURCE.read_text()).body if isinstance(node, ast.If)]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {name.name: str(node.module) for node in imports for name in node.names}


def loaded_by(program: str, *arguments: str) -> set[str]:
    """Those of HEAVY that a program has loaded at its end."""
    ending = f"import atexit, sys; atexit.register(lambda: print(*(n for n in {HEAVY} if n in sys.modules), sep='\\n'))"
    command = [sys.executable, "-c", f"{ending}\n{program}", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    return set(ended.stdout.splitlines()) & set(HEAVY)


def test_type_checkers_and_the_interpreter_are_told_the_same() -> None:
    homes = {name: getattr(gatepost, name) for name in read_by_type_checkers()}

    assert sorted(homes) == sorted(gatepost.__all__)
    for name, module in read_by_type_checkers().items():
        assert getattr(sys.modules[module], name) is homes[name]


def pages_and_examples() -> list[Path]:
    """What tells users what to import."""
    found = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.py")]
    return [path for path in found if path.parent.name != "decisions" and path not in RUN_FROM_A_CHECKOUT]


def test_pages_and_examples_import_public_names_only() -> None:
    public = {module: set(import_module(module).__all__) for module in PUBLIC_MODULES}
    imported = {
        (path.name, module, name)
        for path in pages_and_examples()
        for module, several, line in IMPORT.findall(path.read_text())
        for name in re.findall(r"\w+", several or line)
    }
    assert ("shop.md", "gatepost.testing", "TestApp") in imported
    assert {found for found in imported if found[2] not in public.get(found[1], ())} == set()


@pytest.mark.parametrize("module", ["accounts/sign_in.py", "health.py"])
def test_sign_in_and_the_probes_import_public_names_only(module: str) -> None:
    imports = list(ast.walk(ast.parse((SOURCE.parent / module).read_text())))
    named = {
        (node.module or "", name.name) for node in imports if isinstance(node, ast.ImportFrom) for name in node.names
    }
    plain = {name.name for node in imports if isinstance(node, ast.Import) for name in node.names}
    own = {found for found in named if found[0].startswith("gatepost")}
    assert own
    assert {found for found in own if found[0] not in PUBLIC_MODULES or found[1] not in gatepost.__all__} == set()
    assert not [name for name in plain if name.startswith("gatepost")]


def test_pages_name_no_other_module() -> None:
    named = {(path.name, name) for path in pages_and_examples() for name in MEMBER.findall(path.read_text())}
    public = {*gatepost.__all__, *(module.removeprefix("gatepost.") for module in PUBLIC_MODULES)}
    assert {found for found in named if found[1] not in public} == set()


def test_a_star_import_gives_every_name() -> None:
    names: dict[str, object] = {}
    exec("from gatepost import *", names)  # noqa: S102 - a star import is allowed at the top of a module only
    assert set(gatepost.__all__) <= set(names)


def test_names_are_listed_before_they_are_used() -> None:
    assert loaded_by("import gatepost; assert set(gatepost.__all__) <= set(dir(gatepost))") == set()


def test_what_the_names_stand_for_can_be_pickled() -> None:
    things = (gatepost.App, gatepost.Conflict, gatepost.RateLimit(5, per=60))
    assert pickle.loads(pickle.dumps(things)) == things  # noqa: S301 - our own


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'gatepost' has no attribute 'Ap'"):
        getattr(gatepost, "Ap")  # noqa: B009 - a constant is what is asked for
    with pytest.raises(ImportError):
        exec("from gatepost import Ap")  # noqa: S102 - type checkers refuse the statement itself


def test_the_package_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "gatepost", "--help"], capture_output=True, text=True, check=False)
    assert (done.returncode, "Usage: gatepost [OPTIONS] COMMAND" in done.stdout) == (0, True)


@pytest.mark.parametrize("words", [["--help"], ["migrate", "make", "--help"], ["serve", "--help"]])
def test_help_loads_nothing_that_a_server_needs(words: list[str]) -> None:
    assert loaded_by("from gatepost.cli.main import main; main()", *words) == set()


@pytest.mark.parametrize("words", [["serve", "--port", "-1"], ["dev", "json", "--port", "-1"]])
def test_a_wrong_setting_is_refused_before_anything_heavy_is_loaded(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    program = "from gatepost.cli.main import main\nfrom contextlib import suppress\nwith suppress(SystemExit): main()"
    assert not loaded_by(program, *words) & {"sqlalchemy", "asyncpg", "alembic", "granian"}


def test_what_workers_inherit_is_loaded_once_and_never_looked_through_for_garbage() -> None:
    program = (
        "import gc, sys\nfrom gatepost.server.loading import preload\npreload('gatepost.app')\n"
        "assert gc.isenabled() and gc.get_freeze_count() > 10_000 and 'gatepost.app' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


def test_an_app_does_not_load_the_gate_for_other_frameworks() -> None:
    program = "import sys, gatepost.app; print(*(name for name in sys.modules if name.startswith('gatepost.')))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    loaded = set(ended.stdout.split())
    assert "gatepost.gateway.gate" in loaded
    assert not loaded & {"gatepost.standalone", "gatepost.logging"}


def test_the_gate_for_other_frameworks_is_a_name_of_the_gateway() -> None:
    names: dict[str, object] = {}
    exec("from gatepost.gateway import *", names)  # noqa: S102 - a star import is allowed at the top of a module only
    assert set(gateway.__all__) <= set(names)
    with pytest.raises(AttributeError, match=r"module 'gatepost.gateway' has no attribute 'Gat'"):
        getattr(gateway, "Gat")  # noqa: B009 - a constant is what is asked for


def test_a_model_loads_what_it_needs() -> None:
    assert "sqlalchemy" in loaded_by("from gatepost import Model")
