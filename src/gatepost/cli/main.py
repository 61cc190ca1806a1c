"""`gatepost`: the list of commands, and the one place where a mistake becomes a sentence and an exit status.

Status 0 is done, 1 is a problem that the command was asked to look for, 2 is an error that the user can fix, 130 is
Ctrl-C.
"""

import sys
from collections.abc import Callable, Sequence

from gatepost.errors import ConfigurationError
from gatepost.server.descriptors import open_standard_descriptors


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments name, and exit."""
    open_standard_descriptors()
    words = list(sys.argv[1:] if arguments is None else arguments)
    guarded(lambda: _run(words))


def guarded(command: Callable[[], None]) -> None:
    """Run a command; an error that the user can fix becomes one red sentence and status 2, without a traceback. So does
    whatever the database lacks or refuses."""
    try:
        command()
    except ConfigurationError as error:
        from gatepost.logging.console import print_error

        print_error(error)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output has seen enough (`gatepost routes | head`); Python must not flush into it again.
        sys.stderr.close()
        sys.exit(141)
    except Exception as error:
        refusal = _refusal_of_database(error)
        if refusal is None:
            raise
        from gatepost.logging.console import print_error

        print_error(refusal)
        sys.exit(2)


def _refusal_of_database(error: Exception) -> ConfigurationError | None:
    """What a database lacks or refuses, as a sentence; None for a mistake in the code."""
    if "asyncpg" not in sys.modules:  # no database was asked, and loading its driver takes longer than to refuse
        return None
    from gatepost.cli.database_refusals import refusal_of_database

    return refusal_of_database(error)


def _run(words: list[str]) -> None:
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise ConfigurationError(
                f"The argument {word!r} is not UTF-8.", hint="Write its characters in UTF-8."
            ) from None
    if words[:1] == ["serve"]:
        # Workers are forked from this process: it must not load the library that parses the other commands.
        from gatepost.server.__main__ import main as serve

        serve(words[1:])
        return
    if words[:1] == ["backup"]:
        # PostgreSQL waits for each: they need not load the library that parses the other commands either.
        from gatepost.cli.wal_commands import run

        run(words)
    from gatepost.cli.commands import gatepost

    gatepost(words, prog_name="gatepost")
