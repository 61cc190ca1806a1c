"""Names that clients know: in JSON, in query strings and in pointers."""

from collections.abc import Callable

WireName = Callable[[str], str]
"""Makes the name that clients know of that of an attribute, a relation, a member or a parameter. Called at start."""
