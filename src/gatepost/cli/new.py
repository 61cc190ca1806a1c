"""`gatepost new`: the smallest project that runs, from the files in `template/`."""

import keyword
import re
import sys
from importlib.resources import files
from pathlib import Path

from gatepost.cli.project_source import ProjectSource
from gatepost.errors import ConfigurationError
from gatepost.logging.console import print_success

TEMPLATE = {
    "app.py": "app.py.txt",
    "tests/test_app.py": "test_app.py.txt",
    "pyproject.toml": "pyproject.toml.txt",
    "README.md": "README.md.txt",
    "Containerfile": "Containerfile.txt",
    ".dockerignore": "dockerignore.txt",
    ".github/workflows/ci.yml": "ci.yml.txt",
    ".gitignore": "gitignore.txt",
}
"""File of the project, and where its text is in the package: `.txt`, so that no tool takes it for our own code."""

FROM_ELSEWHERE = {
    "copy-source": "",
    "install": "uv sync --locked --no-dev",
    "prepare-files": "",
    "files": ".",
}
"""How an image is made where `uv.lock` names a source that it reaches."""

FROM_FOLDER = {
    "copy-source": "COPY --from=gatepost pyproject.toml README.md LICENSE /srv/gatepost/\n"
    "COPY --from=gatepost src /srv/gatepost/src\n",
    "install": "uv sync --frozen --no-dev --no-install-package gatepost && uv pip install --no-deps /srv/gatepost",
    "prepare-files": "COPY . /srv/files/\n"
    "RUN sed -i 's|file://[^\"]*|file:///srv/gatepost|' /srv/files/pyproject.toml && rm /srv/files/uv.lock\n",
    "files": "--from=build /srv/files",
}
"""How an image is made with a clone beside it, whose path `pyproject.toml` and `uv.lock` name."""

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")


def make_project(name: str, parent: Path, source: ProjectSource) -> Path:
    """Make the project's folder and files; it depends on the Gatepost of that source. Raises ConfigurationError for a
    bad name or a folder that is not empty."""
    check_name(name)
    folder = parent / name
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError("exists already, and is not empty.", location=str(folder), hint="Choose another name.")
    words = {"name": name, **_words_of(source)}
    for path, template in TEMPLATE.items():
        text = (files("gatepost.cli") / "template" / template).read_text(encoding="utf-8")
        for word, replacement in words.items():
            text = text.replace(f"{{{{{word}}}}}", replacement)
        _write(folder / path, text)
    print_success(f"Created {name}: {', '.join(TEMPLATE)}.")
    sys.stdout.write(f"\nNext:\n  cd {name}\n  gatepost dev        # serves it, with its own PostgreSQL\n")
    sys.stdout.write("  python -m pytest    # runs its test\n")
    return folder


def _words_of(source: ProjectSource) -> dict[str, str]:
    """What the files say of where Gatepost comes from. A folder is reached from within a container only as a build
    context of its own; no layer of the image names where it is on this machine."""
    folder = source.folder
    note = ", which is on this machine alone: CI needs one that it can reach, as in `git+https://host/gatepost`"
    return {
        "gatepost": source.requirement(),
        "gatepost-embedded": source.requirement("embedded"),
        "source": source.url or "the package index",
        "source-note": note if folder else "",
        "build-options": f" --build-context gatepost={folder}" if folder else "",
        **(FROM_FOLDER if folder else FROM_ELSEWHERE),
    }


def check_name(name: str) -> None:
    """Raises ConfigurationError unless the name can name a folder, a distribution and a table of settings."""
    if _NAME.fullmatch(name) is None or len(name) > 60 or keyword.iskeyword(name):
        raise ConfigurationError(
            f"{name!r} cannot name a project.",
            hint="Use lower-case letters, digits and single hyphens, starting with a letter: gatepost new my-shop.",
        )
    if name in sys.stdlib_module_names or name in ("gatepost", "app", "tests"):
        raise ConfigurationError(f"{name!r} is the name of a Python module.", hint="Choose another name.")


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot be written: {error.strerror}.", location=str(path)) from None
