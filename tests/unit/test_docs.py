"""The documentation and the code say the same: errors, settings, commands, names, folders, figures and links."""

import ast
import base64
import builtins
import dataclasses
import hashlib
import inspect
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from benchmarks import gate_table
from benchmarks.gate_figures import RESULTS as GATE_RESULTS
from benchmarks.readme_table import BLOCK, RESULTS, table_of

import gatepost
from gatepost.cli.commands import gatepost as commands
from gatepost.gateway import Gate, PathRules
from gatepost.models.index_uses import BTREE_USES, Use
from gatepost.models.operators import OPERATORS
from gatepost.settings import Settings

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "gatepost"
README = (ROOT / "README.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

IDS = [str(page.relative_to(ROOT)) for page in PAGES]


def rows_of(text: str) -> dict[str, list[str]]:
    """The rows of Markdown tables whose first cell is a code, by that code."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells and re.fullmatch(r"`\w+`", cells[0]):
            assert cells[0] not in found, f"{cells[0]} is listed twice"
            found[cells[0].strip("`")] = cells[1:]
    return found


def test_the_program_in_the_readme_is_the_bookshop() -> None:
    programs = re.findall(r"^```python\n(.*?)^```$", README, re.M | re.S)

    assert (ROOT / "examples" / "bookshop" / "app.py").read_text() in programs


def test_the_classes_in_the_readme_are_those_of_the_bookstore() -> None:
    bookstore = (ROOT / "examples" / "bookstore" / "app.py").read_text()
    classes = README.split("## What is not derived")[1].split("```")[1].removeprefix("python\n").split("\n\n\n")

    assert len(classes) == 3
    assert [shown for shown in classes if shown not in bookstore] == []


def test_the_page_about_the_gate_alone_shows_the_example_and_names_every_argument() -> None:
    page = (ROOT / "docs" / "how-to" / "put-the-gate-in-front-of-an-app.md").read_text()
    example = (ROOT / "examples" / "fastapi_behind_the_gate" / "app.py").read_text()

    shown = re.findall(r"^```python title=\"app.py\"\n(.*?)^```$", page, re.M | re.S)
    command = re.findall(r"^granian .*(?= app:app$)", page, re.M)
    arguments = {*inspect.signature(Gate).parameters} - {"app"} | {item.name for item in dataclasses.fields(PathRules)}

    assert len(shown) == 2
    assert all(program in example for program in shown)
    assert len(command) == 1
    assert command[0] in example
    assert rows_of(page).keys() == arguments


async def test_the_page_of_swagger_ui_has_a_policy_that_admits_its_script_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "how-to" / "put-the-gate-in-front-of-an-app.md").read_text()
    (program,) = re.findall(r"^```python title=\"docs.py\"\n(.*?)^```$", page, re.M | re.S)
    (tmp_path / "node_modules" / "swagger-ui-dist").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "docs"}
    exec(compile(program, "docs.py", "exec", dont_inherit=True), names)  # noqa: S102

    async with httpx.AsyncClient(transport=httpx.ASGITransport(names["app"]), base_url="http://test") as client:
        response = await client.get("/docs")
    script = re.findall(r"<script>(.*?)</script>", response.text)[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()

    assert f"script-src 'self' 'sha256-{digest}';" in response.headers["content-security-policy"]
    assert "unsafe" not in response.headers["content-security-policy"]


def test_the_figures_in_the_readme_are_those_of_the_last_measurement() -> None:
    shown = BLOCK.search(README)

    assert shown is not None
    assert shown["table"] == table_of(RESULTS)


def test_the_figures_of_the_gate_are_those_of_the_last_measurement() -> None:
    shown = gate_table.BLOCK.search(gate_table.README.read_text())

    assert shown is not None
    assert shown["table"] == gate_table.table_of(GATE_RESULTS)


def test_the_map_names_every_package() -> None:
    described = set(re.findall(r"^\*\*`(\w+)/?`", (ROOT / "ARCHITECTURE.md").read_text(), re.M))
    packages = {path.parent.name for path in SOURCE.glob("*/__init__.py")}

    assert packages <= described
    assert all((SOURCE / name).is_dir() or (SOURCE / f"{name}.py").exists() for name in described)


def test_the_map_names_every_module_beside_the_packages() -> None:
    beside = (ROOT / "ARCHITECTURE.md").read_text().split("## Modules beside them")[1].split("\n## ")[0]

    assert set(re.findall(r"`(\w+\.py)`", beside)) == {path.name for path in SOURCE.glob("*.py")} - {"__init__.py"}


def test_the_map_tells_requests_by_functions_that_exist() -> None:
    story = (ROOT / "ARCHITECTURE.md").read_text().split("## Two requests")[1].split("\n## ")[0]
    stops = re.findall(r"`([\w/]+\.py)` `(?:(\w+)\.)?(\w+)`", story)
    assert len(stops) > 20
    for module, owner, function in stops:
        tree = ast.parse((SOURCE / module).read_text())
        places = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == owner]
        (place,) = places if owner else [tree]
        defined = {node.name for node in place.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert function in defined, f"{module} has no {owner}.{function}"


def test_contributors_are_told_of_commands_folders_and_fixtures_that_exist() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    targets = set(re.findall(r"^([a-z-]+): .*## ", (ROOT / "Makefile").read_text(), re.M))
    quoted = set(re.findall(r"`([^`\n]+)`", page))
    paths = {name for name in quoted if re.fullmatch(r"\.?\w+(/[\w.]+)+|tests\w*|requirements|pyproject\.toml", name)}
    helpers = {"command", "start", "wait_for"}
    defined = set(re.findall(r"^def (\w+)", (ROOT / "tests" / "acceptance" / "conftest.py").read_text(), re.M))

    named = set(re.findall(r"`make (?:\w+=\S+ )?([a-z-]+)`", page))
    assert named <= targets
    assert targets - named == {"help", "docs"} & targets, "each command is named"
    assert {path for path in paths if path != ".venv/bin" and not (ROOT / path).exists()} == set()
    assert paths >= {"tests/unit", "tests/integration", "tests/acceptance", "tests_all", "tests_soak", ".ci/run"}
    assert helpers <= quoted
    assert helpers <= defined


def test_the_reference_names_everything_that_is_exported() -> None:
    pages = [(ROOT / "docs" / "reference" / name).read_text() for name in ("declaring.md", "endpoints.md")]
    named = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`\n]+`", "".join(pages)))))

    assert set(gatepost.__all__) - named == set()


def test_the_page_of_http_names_every_operator_and_the_indexes_that_serve_it() -> None:
    page = (ROOT / "docs" / "reference" / "http.md").read_text()
    (sentence,) = re.findall(r"^Operators: .*?\.(?=\s)", re.sub(r" \([^)]*\)", "", page), re.M | re.S)
    (table,) = re.findall(r"^\| index \| operators \|.*?(?=\n\n)", page, re.M | re.S)
    uses = [BTREE_USES, Use.EQUAL | Use.NULL | Use.PREFIX, Use.EQUAL, Use.TRIGRAMS, Use.CONTAINMENT]

    named = re.findall(r"`(\w+)`", sentence)
    served = [sorted(re.findall(r"`(\w+)`", line.split(" | ")[1])) for line in table.splitlines()[2:]]

    assert sorted(named) == sorted(item.name for item in OPERATORS)
    assert served == [sorted(item.name for item in OPERATORS if item.uses & use) for use in uses]


def test_every_decision_has_a_number_of_its_own_in_its_name_and_its_title() -> None:
    pages = sorted((ROOT / "docs" / "decisions").iterdir())
    titles = [page.read_text().partition("\n")[0] for page in pages]

    numbers = [page.name[:5] for page in pages]

    assert len(set(numbers)) == len(numbers)
    assert [title.partition(" ")[2].partition(" ")[0] for title in titles] == [
        f"{int(number[:4])}." for number in numbers
    ]


def test_every_decision_is_listed() -> None:
    listed = re.findall(r"decisions/([\w.-]+\.md)", (ROOT / "docs" / "README.md").read_text())

    assert listed == sorted(path.name for path in (ROOT / "docs" / "decisions").iterdir())


def test_the_source_refers_to_pages_that_exist() -> None:
    named = {
        name
        for path in [*SOURCE.rglob("*.py"), *SOURCE.rglob("*.txt"), *(ROOT / "examples").rglob("*.py")]
        for name in re.findall(r"\bdocs/[\w/.-]+\.md\b", path.read_text())
    }

    assert named
    assert {name for name in named if not (ROOT / name).exists()} == set()


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", text):
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(path.read_text()), f"{target}#{anchor}"


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_settings_exist(page: Path) -> None:
    variables = {item.metadata["variable"] for concern in dataclasses.fields(Settings()) for item in fields_of(concern)}
    known = variables | {f"{name}_FILE" for name in variables} | {"GATEPOST_APP"}

    assert set(re.findall(r"\b(?:GATEPOST_[A-Z_]+[A-Z]|DATABASE_URL\w*)\b", page.read_text())) <= known


def fields_of(concern: "dataclasses.Field[object]") -> tuple["dataclasses.Field[object]", ...]:
    """The settings of one concern."""
    return dataclasses.fields(getattr(Settings(), concern.name))


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_commands_and_their_options_exist(page: Path) -> None:
    for line in re.findall(r"(?:^|`|\$ |\| )gatepost ((?:[a-z]\w*)(?: [^`|\n;]*)?)", page.read_text(), re.M):
        words = line.split()
        command = find(words)
        assert command is not None, line
        options = {option for parameter in command.params for option in parameter.opts} | {
            "--host",
            "--port",
            "--workers",
        }
        assert {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)} <= options, line


GROUP: Any = typer.main.get_command(commands)


def find(words: list[str]) -> Any:
    """The command that these words begin with; None for one that does not exist."""
    found = GROUP
    for word in words:
        if not hasattr(found, "commands") or (found.invoke_without_command and word.startswith(("-", "#"))):
            break
        found = found.commands.get(word)
    return found


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_pages_do_not_say_where_they_were_written(page: Path) -> None:
    text = page.read_text()

    assert not re.search(r"(?:^|[\s`(\"'])/(?:work|tmp)/\w", text)
    assert not re.search(r"(?:^|\s)#\d+\b|\bissue \d+", text)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_python_on_the_pages_is_python(page: Path) -> None:
    text = page.read_text()
    programs = re.findall(r"^```python[^\n]*\n(.*?)^```$", text, re.M | re.S)
    assert len(programs) == len(re.findall(r"^ *```python", text, re.M)), "a fence that is not found is not checked"
    for program in programs:
        compile(program, str(page), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_a_test_on_a_page_imports_what_it_uses(page: Path) -> None:
    for program in re.findall(r"^```python title=\"tests/[^\"]+\"\n(.*?)^```$", page.read_text(), re.M | re.S):
        parts = list(ast.walk(ast.parse(program)))
        names = [part for part in parts if isinstance(part, ast.Name)]
        bound = {name.id for name in names if isinstance(name.ctx, ast.Store)}
        bound |= {part.arg for part in parts if isinstance(part, ast.arg)}
        bound |= {
            part.name for part in parts if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        }
        bound |= {part.asname or part.name for part in parts if isinstance(part, ast.alias)}
        assert {name.id for name in names} - bound <= set(dir(builtins))
