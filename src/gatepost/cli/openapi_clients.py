"""`gatepost openapi client`: clients in Python and TypeScript, made by generators of those languages."""

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from gatepost.cli.client_generators import PYTHON, TYPESCRIPT, Generator
from gatepost.cli.openapi import document_of
from gatepost.errors import ConfigurationError
from gatepost.logging.console import print_success, print_warning
from gatepost.mistakes import Mistakes


@dataclass(frozen=True)
class _Target:
    """A client to make."""

    generator: Generator
    folder: Path

    @property
    def option(self) -> str:
        return f"{self.generator.option} {self.folder}"

    def check(self) -> None:
        """Raises `ConfigurationError` for a folder that cannot be named so, or that holds something else."""
        self.generator.check_name(self.folder.resolve().name)
        if not self.folder.exists() or (self.folder.is_dir() and not any(self.folder.iterdir())):
            return
        if not all((self.folder / name).exists() for name in self.generator.made):
            raise ConfigurationError(
                "holds something else than an earlier client.", location=self.option, hint="Name a new folder."
            )

    def make(self, document: dict[str, Any]) -> None:
        """Make the client beside its folder, and put it in place once it is whole."""
        parent = self.folder.resolve().parent
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".gatepost-", dir=parent) as temporary:
            file = Path(temporary, "openapi.json")
            file.write_bytes(msgspec.json.encode(self.generator.read(document)))
            made = Path(temporary, "made", self.folder.resolve().name)
            made.parent.mkdir()
            self._generate(file, made)
            self.generator.finish(made)
            if self.folder.exists():
                shutil.rmtree(self.folder)
            made.rename(self.folder)

    def _generate(self, document: Path, folder: Path) -> None:
        command, environ = self.generator.command(document, folder)
        done = subprocess.run(  # noqa: S603 - the programs of the user's own machine
            command, cwd=document.parent, env=environ, capture_output=True, text=True, check=False
        )
        said = f"{done.stdout}{done.stderr}".strip()
        if done.returncode != 0 or not folder.is_dir():
            raise ConfigurationError(
                f"{self.generator.package} made no client:\n{said}",
                location=self.option,
                hint="The first run needs the network, to fetch the generator.",
            )
        if "warning(s)" in said.lower():
            print_warning(f"{self.generator.package} left something out:\n{said}")


def write_clients(reference: str | None, *, python: Path | None, typescript: Path | None) -> None:
    """Make a client in each language that has a folder, from the document of the application.

    Raises `ConfigurationError` where there is none, and for what keeps a generator from working.
    """
    targets = [
        _Target(generator, folder)
        for generator, folder in ((PYTHON, python), (TYPESCRIPT, typescript))
        if folder is not None
    ]
    if not targets:
        raise ConfigurationError(
            "No language is named.",
            location="gatepost openapi client",
            hint="Write `--python FOLDER`, `--typescript FOLDER` or both.",
        )
    mistakes = Mistakes()
    for target in targets:
        with mistakes.check():
            target.check()
        with mistakes.check():
            target.generator.check_programs()
    mistakes.raise_any()
    document = document_of(reference)
    for target in targets:
        try:
            target.make(document)
        except OSError as error:
            raise ConfigurationError(
                f"cannot be written: {error}.", location=target.option, hint="Name a folder that you may write to."
            ) from None
        print_success(f"{target.folder} is a client, made by {target.generator.package}.")
