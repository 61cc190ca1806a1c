"""The gate in front: limits, security headers, CORS, bodies, deadlines and the rendering of every refusal.

`Gate` wraps any ASGI application, whose paths `PathRules` describe; it knows nothing of routes, models or PostgreSQL.
"""

from gatepost.gateway.gate import Gate
from gatepost.gateway.limiter import Limiter
from gatepost.gateway.path_rules import PathRules

__all__ = ["Gate", "Limiter", "PathRules"]
