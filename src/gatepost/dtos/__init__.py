"""Data transfer objects: what a request body may hold, compiled from the declaration. Called by the controllers.

Between controllers and services: turns bytes into Python values or into a refusal that names every violation. Leaves
who may write what to the controllers, and references, ownership and uniqueness to services and the database.
"""

from gatepost.dtos.body import Body, BodyDecoder, compile_body
from gatepost.dtos.merge_patch import merge_patch
from gatepost.dtos.scalars import compile_scalar

__all__ = ["Body", "BodyDecoder", "compile_body", "compile_scalar", "merge_patch"]
