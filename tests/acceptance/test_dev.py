"""`gatepost new` and `gatepost dev`: the first minutes with Gatepost, with nothing but Python."""

import re
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import psutil
import pytest
from tests.acceptance.conftest import SECONDS_MAX, Start, is_alive, run, wait_for
from tests.acceptance.test_history import page

from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.embedded.programs import run_script

Environ = dict[str, str]


def test_dev_in_a_folder_without_an_application_says_so_and_ends(environ: Environ, tmp_path: Path) -> None:
    ended = run("dev", "--port", "0", cwd=tmp_path, environ=environ)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"Error: There is no module 'app' in {tmp_path}. ")
    assert "`gatepost new NAME` makes a project." in ended.stderr


def test_dev_reloads_survives_a_syntax_error_and_leaves_nothing(start: Start, environ: Environ, project: Path) -> None:
    environ = {**environ, "GATEPOST_ADMIN_SOCKET": str(project / "admin.sock")}
    server = start("dev", "--port", "0", environ=environ).ready()
    assert "times 100 in development" in server.output
    assert server.get("/api/notes")[0] == 200
    app = project / "app.py"
    source = app.read_text()

    app.write_text(source + "x = (\n")
    wait_for(lambda: server.responds("/api/notes", 503), "the mistake to be noticed")
    place = f"{app.name}:{len(source.splitlines()) + 1}"
    assert place in server.get("/api/notes")[1]
    assert place in server.output

    app.write_text(source.replace("Resource(Note, read=anyone)", 'Resource(Note, read=anyone, path="remarks")'))
    wait_for(lambda: server.responds("/api/remarks", 200), "the new path")
    assert server.get("/api/notes")[0] == 404
    wait_for(
        lambda: (
            ("reload", "The application is loaded again: app.py changed.")
            in [(each["kind"], each["summary"]) for each in page(environ, "/changes")["changes"]]
        ),
        "the change",
    )

    processes = server.children()
    assert any(process.name() == "postgres" for process in processes)
    server.send(signal.SIGINT)
    assert server.wait() == 0
    _, alive = psutil.wait_procs(processes, timeout=SECONDS_MAX)
    assert not [process for process in alive if is_alive(process)]
    assert "Traceback" not in server.output


DIES_AT_START = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"


def test_a_worker_that_dies_is_started_again_at_once_and_ever_later(
    start: Start, environ: Environ, project: Path
) -> None:
    server = start("dev", "--port", "0", environ=environ).ready()
    [worker] = [child for child in server.workers() if child.name() != "postgres"]
    worker.kill()
    said = f"The worker, process {worker.pid}, ended by SIGKILL, and is started again at once."
    wait_for(lambda: said in server.output, "the sentence")
    assert server.get("/api/notes")[0] == 200, "the request waits for the new one"

    app = project / "app.py"
    source = app.read_text()
    app.write_text(DIES_AT_START + source)
    wait_for(lambda: "is started again in 1 s, or when a file is saved." in server.output, "a longer pause")
    pauses = re.findall(r"ended by SIGKILL, and is started again (at once|in \S+ s)", server.output)
    assert pauses[1:4] == ["at once", "in 0.5 s", "in 1 s"], "a file that was saved begins anew"

    app.write_text(source)
    wait_for(lambda: server.responds("/api/notes", 200), "the application without the mistake")
    server.send(signal.SIGINT)
    assert server.wait() == 0
    assert "Traceback" not in server.output


def test_where_rows_do_not_fit_the_models_every_request_gets_the_ways_out(
    start: Start, environ: Environ, project: Path
) -> None:
    server = start("dev", "--port", "0", environ=environ).ready()
    dsn = EmbeddedPostgreSQL(project / ".gatepost" / "postgresql").dsn("gatepost")
    run_script(dsn, "INSERT INTO notes (title) VALUES ('First')")
    app = project / "app.py"
    source = app.read_text()
    declaration = "    title: Mapped[str]\n"

    changed = source.replace(declaration, f"{declaration}    slug: Mapped[str] = mapped_column(unique=True)\n")
    app.write_text(changed.replace("import Mapped", "import Mapped, mapped_column"))
    wait_for(lambda: server.responds("/api/notes", 503), "the models to be refused")
    answers = {server.get(path)[1] for path in ("/api/notes", "/api/auth/me", "/readyz", "/")}

    (answer,) = answers
    assert answer.count("slug") == 1, "the constraint on a column that is missing is no news"
    assert "\n  - add the column notes.slug: it is NOT NULL, and the rows that exist have no value for it" in answer
    assert "three ways out:\n  1. Change the models so that the rows fit" in answer
    assert f"psql '{dsn}'\n  3. Throw the rows away: stop with Ctrl-C, delete .gatepost/postgresql," in answer
    assert answer.partition("\n\n")[2].strip() in server.output

    run_script(dsn, "ALTER TABLE notes ADD slug varchar; UPDATE notes SET slug = title")
    app.write_text(app.read_text() + "# saved again\n")
    wait_for(lambda: server.responds("/api/notes", 200), "the second way out")
    assert '"slug":"First"' in server.get("/api/notes")[1]
    assert "Traceback" not in server.output


def test_dev_says_where_the_api_is_by_an_address_that_responds(
    start: Start, environ: Environ, project: Path, database_url: str
) -> None:
    app = project / "app.py"
    source = app.read_text()
    app.write_text(source.replace("read=anyone), mount", 'read=anyone), prefix="/v1", mount'))
    server = start("dev", "--port", "0", environ={**environ, "DATABASE_URL": database_url}).ready()
    address = f"http://127.0.0.1:{server.port}"
    wait_for(lambda: f"The API is at {address}/v1/notes\n" in server.output, server.output)
    assert server.get("/v1/notes")[0] == 200

    app.write_text(source.replace("read=anyone)", 'read=role("clerk"))').replace("anyone\n", "role\n"))
    wait_for(lambda: f"The API is below {address}/api/\n" in server.output, server.output)


def test_dev_begins_again_whatever_ended_it_and_commands_use_its_database_meanwhile(
    start: Start, environ: Environ, project: Path
) -> None:
    server = start("dev", "--port", "0", environ=environ).ready()
    port = str(server.port)
    server.send(signal.SIGKILL)
    server.wait()
    for cause in (signal.SIGTERM, signal.SIGHUP):  # SIGHUP: its terminal is closed
        server = start("dev", "--port", port, environ=environ).ready()
        assert server.get("/api/notes")[0] == 200
        processes = server.children()
        server.send(cause)
        assert server.wait() == 0, cause
        _, alive = psutil.wait_procs(processes, timeout=5)
        assert not [process for process in alive if is_alive(process)], cause
    listed = run("users", "list", "--json", cwd=project, environ=environ)
    assert (listed.returncode, listed.stdout) == (0, "[]\n")


@pytest.mark.parametrize(("command", "port"), [("dev", "65536"), ("serve", "-1")])
def test_a_port_out_of_range_is_refused_in_a_sentence(environ: Environ, project: Path, command: str, port: str) -> None:
    refused = run(command, f"--port={port}", cwd=project, environ=environ)
    assert refused.returncode == 2
    assert refused.stderr == f"Error: GATEPOST_PORT: must be from 0 to 65535, is '{port}'.\n"


def test_a_new_project_passes_its_own_test(environ: Environ, tmp_path: Path) -> None:
    made = run("new", "shop", cwd=tmp_path, environ=environ)
    assert made.returncode == 0
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:randomly", "-p", "no:cacheprovider"],
        cwd=tmp_path / "shop",
        env={**environ, "PYTEST_DEBUG_TEMPROOT": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout
    assert "1 passed" in tested.stdout


def test_what_an_empty_database_refuses_is_said_once(
    start: Start, environ: Environ, project: Path, postgresql: EmbeddedPostgreSQL
) -> None:
    name = f"empty_{uuid.uuid4().hex}"
    postgresql.execute(f"CREATE DATABASE {name}")
    postgresql.execute(f"CREATE ROLE {name} LOGIN")
    postgresql.execute(f"GRANT CREATE ON DATABASE {name} TO {name}")
    try:
        url = postgresql.dsn(name).replace("gatepost@", f"{name}@")
        server = start("dev", "--port", "0", environ={**environ, "DATABASE_URL": url})
        wait_for(lambda: server.responds("/api/notes", 503), f"a refusal: {server.output}")

        answer = server.get("/api/notes")[1]
        assert answer.count("permission denied for schema public") == 1
        assert f"GRANT USAGE, CREATE ON SCHEMA public TO {name};" in answer
        assert server.output.count("permission denied") == server.output.count("Error: ") == 1
        assert "Warning" not in server.output
        server.close()
    finally:
        postgresql.execute(f"DROP DATABASE {name} WITH (FORCE)")
        postgresql.execute(f"DROP ROLE {name}")
