"""What `docs/reference/errors.md` says of the `params` of errors, held against the errors that tests meet."""

from collections.abc import Iterable

from gatepost.errors import FieldError
from gatepost.field_codes import FIELD_CODES


def check_params(errors: Iterable[FieldError]) -> None:
    """Fail where an error with a code of Gatepost has not exactly the params that are documented for it."""
    for error in errors:
        if (known := FIELD_CODES.get(error.code)) is not None:
            assert tuple(sorted(error.params)) in known.params, error
