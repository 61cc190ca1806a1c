"""Gatepost: turns SQLAlchemy models into a production API."""

from gatepost.accounts.models import UserColumns
from gatepost.app import App
from gatepost.auth.actor import Actor, anonymous, system
from gatepost.auth.policies import Policy, anyone, authenticated, nobody, owner, policy, role
from gatepost.errors import (
    BadRequest,
    ConfigurationError,
    Conflict,
    FieldError,
    Forbidden,
    NotFound,
    PreconditionFailed,
    Problem,
    Unauthorized,
    Unprocessable,
)
from gatepost.limits import RateLimit, hours, minutes, seconds
from gatepost.models.base import Model
from gatepost.resource import Field, Resource, hidden, read_only, write_once
from gatepost.services.service import Changes, Service

__all__ = [
    "Actor",
    "App",
    "BadRequest",
    "Changes",
    "ConfigurationError",
    "Conflict",
    "Field",
    "FieldError",
    "Forbidden",
    "Model",
    "NotFound",
    "Policy",
    "PreconditionFailed",
    "Problem",
    "RateLimit",
    "Resource",
    "Service",
    "Unauthorized",
    "Unprocessable",
    "UserColumns",
    "anonymous",
    "anyone",
    "authenticated",
    "hidden",
    "hours",
    "minutes",
    "nobody",
    "owner",
    "policy",
    "read_only",
    "role",
    "seconds",
    "system",
    "write_once",
]
