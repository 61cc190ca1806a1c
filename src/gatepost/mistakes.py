"""The mistakes of a declaration, collected so that one run reports them all.

A foundation. Each independent check runs in `with mistakes.check():`; what depends on a check that failed is left out
by its caller, so that no mistake is reported twice.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from gatepost.errors import ConfigurationError
from gatepost.sqlalchemy_refusals import is_refusal, refused_by_sqlalchemy

Source = str | Callable[[], str] | None
"""Where a mistake was made: `file:line`, or the function that finds it, which is called only if there is one."""

T = TypeVar("T")
D = TypeVar("D")


class Mistakes:
    """The mistakes found so far, in the order of their discovery."""

    def __init__(self) -> None:
        self._found: dict[str, ConfigurationError] = {}

    def __iter__(self) -> Iterator[ConfigurationError]:
        return iter(self._found.values())

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, error: ConfigurationError, source: Source = None) -> None:
        """Keep a mistake, or all of those that it stands for. `source` is where it was made, unless it says so."""
        for mistake in error.mistakes or (error,):
            mistake.source = mistake.source or (source() if callable(source) else source)
            self._found.setdefault(str(mistake), mistake)

    @contextmanager
    def check(self, source: Source = None, location: str | None = None) -> Generator[None]:
        """Keep the mistake that ends the block, and go on behind it. What SQLAlchemy refuses in the block counts as a
        mistake at `location`."""
        try:
            yield
        except ConfigurationError as error:
            self.add(error, source)
        except Exception as error:
            if not (isinstance(error, SQLAlchemyError) or is_refusal(error)):
                raise
            self.add(refused_by_sqlalchemy(error, location), source)

    def attempt(self, make: Callable[[], T], default: D, source: Source = None, location: str | None = None) -> T | D:
        """What `make` returns; `default` where it ends with a mistake, which is kept as `check` does."""
        with self.check(source, location):
            return make()
        return default

    def raise_any(self) -> None:
        """Raise `ConfigurationError` with all mistakes, if there are any."""
        if self._found:
            raise together(self)


def together(mistakes: Iterable[ConfigurationError]) -> ConfigurationError:
    """One error for one or more mistakes."""
    found = list(mistakes)
    if len(found) == 1:
        return found[0]
    return ConfigurationError(f"{len(found)} mistakes:", mistakes=found)
