"""Finding the application: from "module:attribute" to the App, with a sentence for everything that can be wrong.

Before the request path; used by the server's workers and by every command that looks at the application.
"""

import importlib
import os
import sys
import tomllib
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatepost.errors import ConfigurationError

if TYPE_CHECKING:
    from gatepost.app import App

DEFAULT_REFERENCE = "app:app"
PROJECT_FILE = "pyproject.toml"
_STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep


def reference_of(given: str | None) -> str:
    """Which application is meant: the argument, GATEPOST_APP, `[tool.gatepost] app` in the folder, or `app:app`."""
    return given or os.environ.get("GATEPOST_APP") or _from_project_file(Path(PROJECT_FILE)) or DEFAULT_REFERENCE


def find_app(reference: str) -> "App":
    """Import `module:attribute`, with the current folder first on the path, and return the App.

    Raises ConfigurationError that names the module, or the file and line of the user's code that fails.
    """
    from gatepost.app import App

    module_name, _, attribute = reference.partition(":")
    attribute = attribute or "app"
    module = _imported(module_name, reference)
    try:
        found = getattr(module, attribute)
    except AttributeError:
        raise ConfigurationError(
            f"has no attribute {attribute!r}.",
            location=getattr(module, "__file__", None) or module_name,
            hint=f"Write `{attribute} = App(...)` in it, or name another one: {module_name}:NAME.",
        ) from None
    if not isinstance(found, App):
        raise ConfigurationError(
            f"is a {type(found).__name__}, not a gatepost.App.",
            location=f"{module_name}:{attribute}",
            hint="Name the attribute that holds the App: MODULE:ATTRIBUTE.",
        )
    return found


def _from_project_file(path: Path) -> str | None:
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"cannot be read: {error}.", location=str(path)) from None
    found = content.get("tool", {}).get("gatepost", {}).get("app")
    if found is not None and not isinstance(found, str):
        raise ConfigurationError(
            "is not a text.", location=f"{path}, [tool.gatepost] app", hint='Write app = "app:app".'
        )
    return found


def _imported(name: str, reference: str) -> Any:
    if not name or not all(part.isidentifier() for part in name.split(".")):
        raise ConfigurationError(
            f"{reference!r} does not name an application.", hint="Write MODULE:ATTRIBUTE, for example app:app."
        )
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise ConfigurationError(
                f"There is no module {error.name!r} in {folder}.",
                hint="Change to the project's folder, or name the application: MODULE:ATTRIBUTE.",
            ) from None
        raise _failed(error, name) from None
    except ConfigurationError as error:
        # The sentence of a declaration is good as it is; where it stands is what is missing.
        raise ConfigurationError(str(error), location=_location(error)) from None
    except SyntaxError as error:
        shown = f"{error.filename}, line {error.lineno}"
        source = f": {error.text.strip()}" if error.text else "."
        raise ConfigurationError(f"{error.msg}{source}", location=shown) from None
    except (Exception, SystemExit) as error:
        raise _failed(error, name) from None


def _failed(error: BaseException, name: str) -> ConfigurationError:
    text = str(error).strip()
    return ConfigurationError(
        f"{type(error).__name__}{': ' + text if text else ''}.".replace("..", "."), location=_location(error) or name
    )


def _location(error: BaseException) -> str | None:
    """The innermost line that is the user's own: not Gatepost's, not an installed library's, not the importer's."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _is_own(frame.filename)]
    return f"{own[-1].filename}, line {own[-1].lineno}" if own else None


def _is_own(filename: str) -> bool:
    gatepost = str(Path(__file__).parent.parent) + os.sep
    if filename.startswith(("<", gatepost)) or "site-packages" in filename:
        return False
    return filename.startswith(str(Path.cwd()) + os.sep) or not filename.startswith(
        (sys.base_prefix + os.sep, _STANDARD_LIBRARY)
    )
