"""Texts that PostgreSQL can cast, by the name of the type: regular expressions in PostgreSQL's dialect.

Each accepts every form that JSON and ISO 8601 write, and nothing that any version from 15 on refuses. Other spellings
that some version accepts ("tomorrow", `0x1F`, "NaN") count as texts that do not cast.
"""

_DAY = (
    "(?:(?!0000)[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    "|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)-02-29)"
)
_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.][0-9]{1,9})?)?"
_OFFSET = "(?:[Zz]|[+-](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?)?"
_MOMENT = f"^ *{_DAY}(?:[T ]{_CLOCK}{_OFFSET})? *$"
_TIME = f"^ *{_CLOCK}{_OFFSET} *$"
_FOUR = "[0-9a-fA-F]{4}"
_AMOUNT = "[0-9]{1,6}(?:[.][0-9]{1,6})?"
_ISO_DURATION = (
    "P(?=[0-9T-])(?:-?[0-9]{1,6}Y)?(?:-?[0-9]{1,6}M)?(?:-?[0-9]{1,6}W)?(?:-?[0-9]{1,6}D)?"
    f"(?:T(?=[0-9-])(?:-?[0-9]{{1,6}}H)?(?:-?[0-9]{{1,6}}M)?(?:-?{_AMOUNT}S)?)?"
)
_DAYS, _HOURS = (
    "".join(f"(?:[+-]?[0-9]{{1,6}} (?:{unit})(?: |$))?" for unit in units)
    for units in (
        ("years?", "mons?|months?", "weeks?", "days?"),
        ("hours?", "mins?|minutes?", "secs?|seconds?"),
    )
)
_WRITTEN_DURATION = f"{_DAYS}(?:{_HOURS}|[+-]?[0-9]{{1,6}}:[0-5][0-9](?::[0-5][0-9](?:[.][0-9]{{1,6}})?)?)"

PATTERNS: dict[str, str] = {
    "INTEGER": "^ *[+-]?0*[0-9]{1,19} *$",
    "NUMERIC": "^ *[+-]?(?:[0-9]+[.]?[0-9]*|[.][0-9]+)(?:[eE][+-]?[0-9]{1,3})? *$",
    "BOOLEAN": "^ *(?:[tT](?:[rR](?:[uU][eE]?)?)?|[yY](?:[eE][sS]?)?|[oO][nN]|1"
    "|[fF](?:[aA](?:[lL](?:[sS][eE]?)?)?)?|[nN][oO]?|[oO][fF][fF]?|0) *$",
    "UUID": f"^(?:{_FOUR}(?:-?{_FOUR}){{7}}|[{{]{_FOUR}(?:-?{_FOUR}){{7}}[}}])$",
    "DATE": _MOMENT,
    "TIMESTAMP WITH TIME ZONE": _MOMENT,
    "TIMESTAMP WITHOUT TIME ZONE": _MOMENT,
    "TIME WITHOUT TIME ZONE": _TIME,
    "TIME WITH TIME ZONE": _TIME,
    "INTERVAL": f"^(?=.)(?:{_ISO_DURATION}|{_WRITTEN_DURATION})$",
}

_NAME = "[a-zA-Z_][a-zA-Z0-9_]*"

WARY_PATTERNS: dict[str, str] = {
    "JSONPATH": "^(?!.*[0-9.][eE][+-]?[0-9]{4})",
    "REG": f"^{_NAME}(?:[.]{_NAME})?$",
}
"""By the beginning of a type's name: the pattern that a text must match before `pg_input_is_valid` is called. For other
texts that function raises an error itself, or its answer does not hold for the cast of a text."""

UNREADABLE_ESCAPE = (
    r"\\u0000|\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
"""Escapes that a `json` column keeps and PostgreSQL cannot write as text."""
