"""The text of a statement without the values in it, for who looks at statements that others run.

Outside the request path. Statements that Gatepost compiles bind their values and hold none; those that a person types,
or another program sends, may hold any.
"""

import re

MASK = "?"

# Without possessive quantifiers of groups, which the `re` of Python 3.11.2 (Debian 12) matches wrongly.
_LITERALS = re.compile(
    r"""
      (?P<kept> /\*\ [\w.~-]+\ \*/                        # what Gatepost calls a statement
              | "[^"]* (?: ""[^"]* )* (?: " | $ ) | \$\d+ )
    | \b[Ee]'[^'\\]* (?: (?: '' | \\. ) [^'\\]* )* (?: ' | $ )
    | (?: \b[BbNnXx] | \b[Uu]& )? '[^']* (?: ''[^']* )* (?: ' | $ )
    | \$(?P<tag> (?: [^\W\d]\w* )? )\$ .*? (?: \$(?P=tag)\$ | $ )
    | (?<! [\w$.] ) \d [\w.]*
    | /\*[^*/]* (?: (?: \*(?!/) | /(?!\*) ) [^*/]* )* (?: \*/ | $ )
    | /\*.*                                            # one in which others stand
    | --[^\n]*
    """,
    re.VERBOSE | re.DOTALL,
)
_NAME = re.compile(r"\s*\w+ /\* (?P<name>[\w.~-]+) \*/")


def without_literals(sql: str) -> str:
    """The statement with each text, number and comment as `?`: also where it ends in the midst of one."""
    return _LITERALS.sub(lambda match: match["kept"] or MASK, sql)


def operation_of(sql: str) -> str | None:
    """The name that Gatepost gave a statement, such as `books.list`; None for one of another's."""
    found = _NAME.match(sql)
    return None if found is None else found["name"]
