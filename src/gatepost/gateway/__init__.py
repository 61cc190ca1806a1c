"""The gate in front: limits, security headers, CORS, bodies, deadlines and the rendering of every refusal.

`Gate` wraps any ASGI application, whose paths `PathRules` describe; it knows nothing of routes, models or PostgreSQL.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from gatepost.gateway.limiter import Limiter
from gatepost.gateway.pages import HTMLPage
from gatepost.gateway.path_rules import PathRules

if TYPE_CHECKING:
    from gatepost.standalone import Gate

__all__ = ["Gate", "HTMLPage", "Limiter", "PathRules"]


def __getattr__(name: str) -> object:
    """`Gate` at its first use (PEP 562). It is composed above this package, of what an app of Gatepost never loads."""
    if name != "Gate":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    gate: object = import_module("gatepost.standalone").Gate
    globals()[name] = gate
    return gate
