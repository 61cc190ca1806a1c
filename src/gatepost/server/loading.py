"""Finding the application: from "module:attribute" to the App, with a sentence for everything that can be wrong.

Before the request path; used by the server's workers and by every command that looks at the application.
"""

import gc
import importlib
import importlib.util
import os
import sys
import tomllib
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatepost.errors import ConfigurationError
from gatepost.sources import is_gateposts, raised_at, shown_location

if TYPE_CHECKING:
    from gatepost.app import App

DEFAULT_REFERENCE = "app:app"
PROJECT_FILE = "pyproject.toml"


def reference_of(given: str | None) -> str:
    """Which application is meant: the argument, GATEPOST_APP, `[tool.gatepost] app` in the folder, or `app:app`."""
    return given or os.environ.get("GATEPOST_APP") or _from_project_file(Path(PROJECT_FILE)) or DEFAULT_REFERENCE


def find_app(reference: str) -> "App":
    """Import `module:attribute`, with the current folder first on the path, and return the App.

    Raises ConfigurationError that names the module, or the file and line of the user's code that fails.
    """
    module_name, _, attribute = reference.partition(":")
    attribute = attribute or "app"
    with gc_paused():
        from gatepost.app import App

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


def preload(*modules: str) -> None:
    """Import what every worker needs, once, in the process that forks them: one that is replaced is back at once.

    No garbage collector looks at it again: neither this process's nor a worker's, which would copy the pages.
    """
    with gc_paused():
        for name in modules:
            importlib.import_module(name)
    gc.freeze()


@contextmanager
def gc_paused() -> Generator[None]:
    """Classes, tables and what is derived from them live as long as the process. The garbage collector would look
    through them again and again while they are made, which is a seventh of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():
            gc.freeze()
            gc.unfreeze()  # now everything is in the oldest generation, and nothing was looked through for that
        if was_enabled:
            gc.enable()


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


def check_module_exists(reference: str) -> None:
    """Raise ConfigurationError where no file is there to import the application from; nothing is imported."""
    name = reference.partition(":")[0]
    folder = _prepared(name, reference)
    package = name.partition(".")[0]
    if importlib.util.find_spec(package) is None:
        raise _missing(package, folder)


def _prepared(name: str, reference: str) -> str:
    """The current folder, which comes first on the path."""
    if not name or not all(part.isidentifier() for part in name.split(".")):
        raise ConfigurationError(
            f"{reference!r} does not name an application.", hint="Write MODULE:ATTRIBUTE, for example app:app."
        )
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return folder


def _missing(module: str, folder: str) -> ConfigurationError:
    return ConfigurationError(
        f"There is no module {module!r} in {folder}.",
        hint="Change to the project's folder, or name the application: MODULE:ATTRIBUTE. `gatepost new NAME` makes a "
        "project.",
    )


def _imported(name: str, reference: str) -> Any:
    folder = _prepared(name, reference)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise _missing(error.name, folder) from None
        raise _failed(error, name) from None
    except ConfigurationError as error:
        error.source = error.source or (None if error.mistakes else raised_at(error))
        raise
    except SyntaxError as error:
        text = f": {error.text.strip()}" if error.text else "."
        source = shown_location(error.filename or name, error.lineno)
        raise ConfigurationError(f"{error.msg}{text}", source=source) from None
    except (Exception, SystemExit) as error:
        raise _failed(error, name) from None


def _failed(error: BaseException, name: str) -> ConfigurationError:
    from gatepost.models.class_statements import declaration_refusal

    if refusal := declaration_refusal(error):
        return refusal
    text = str(error).strip()
    sentence = f"{type(error).__name__}{': ' + text if text else ''}.".replace("..", ".")
    source = raised_at(error)
    return ConfigurationError(f"{sentence}\n{_own_traceback(error)}", location=None if source else name, source=source)


def _own_traceback(error: BaseException) -> str:
    """The traceback without Gatepost's frames and the importer's, unless it is Gatepost itself that fails."""
    shown = traceback.TracebackException.from_exception(error)
    each: traceback.TracebackException | None = shown
    while each is not None:
        if not (each.stack and is_gateposts(each.stack[-1].filename)):
            frames = [frame for frame in each.stack if not (_is_importer(frame) or is_gateposts(frame.filename))]
            each.stack = traceback.StackSummary.from_list(frames)
        each = each.__cause__ or each.__context__
    return "".join(shown.format()).rstrip()


def _is_importer(frame: traceback.FrameSummary) -> bool:
    return frame.filename.startswith("<frozen importlib") or frame.filename == importlib.__file__
