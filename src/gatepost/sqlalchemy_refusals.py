"""What SQLAlchemy refuses of a declaration, as a `ConfigurationError`; an exception of the user's own code passes.

A foundation, outside the request path. SQLAlchemy refuses by its own exceptions, and where it checks nothing by
whatever Python raises inside it (`KeyError`, `TypeError`): what counts is whose line raises. Errors of the database
are not among them: the modules that run statements say what those mean.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from traceback import walk_tb

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from gatepost.errors import ConfigurationError
from gatepost.sources import is_raised_by_user


@contextmanager
def as_configuration_error(location: str | None = None, source: str | None = None) -> Generator[None]:
    """Raise what SQLAlchemy refuses in the block as a mistake at `location`. `source` is where it was made."""
    try:
        yield
    except Exception as error:
        if not is_refusal(error):
            raise
        refusal = refused_by_sqlalchemy(error, location)
        refusal.source = source
        raise refusal from error


def is_refusal(error: BaseException) -> bool:
    """Whether SQLAlchemy raised it by itself: not because something else failed, such as a type of the user's or the
    database."""
    return _is_raised_by_sqlalchemy(error) and not any(
        isinstance(each, DBAPIError) or is_raised_by_user(each) for each in _chain(error)
    )


def refused_by_sqlalchemy(error: BaseException, location: str | None = None) -> ConfigurationError:
    """What SQLAlchemy says of a declaration, without the address of its documentation."""
    text = str(error.args[0] if error.args else error).strip()
    if not isinstance(error, SQLAlchemyError):
        text = f"{type(error).__name__}: {error}" if text else type(error).__name__
    sentence = " ".join(text.split()).rstrip(".")
    return ConfigurationError(f"SQLAlchemy refuses it: {sentence}.", location=location)


def _is_raised_by_sqlalchemy(error: BaseException) -> bool:
    # By the name of the module: the files of what is compiled lie elsewhere.
    names = [str(frame.f_globals.get("__name__")) for frame, _ in walk_tb(error.__traceback__)]
    return bool(names) and names[-1].partition(".")[0] == "sqlalchemy"


def _chain(error: BaseException) -> Iterator[BaseException]:
    each: BaseException | None = error
    while each is not None:
        yield each
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
