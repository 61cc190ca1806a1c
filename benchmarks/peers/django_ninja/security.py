"""Who is asking: the token and the user behind it."""

import os
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.http import HttpRequest
from ninja.errors import HttpError
from ninja.security import HttpBearer

from .models import User

public_key = load_pem_public_key(Path(os.environ["PUBLIC_KEY_FILE"]).read_bytes())


class CurrentUser(HttpBearer):
    def authenticate(self, request: HttpRequest, token: str) -> User | None:
        try:
            claims = jwt.decode(token, public_key, algorithms=["EdDSA"], audience="gatepost", issuer="gatepost")
        except jwt.InvalidTokenError:
            return None
        return User.objects.filter(id=claims["sub"], is_active=True).first()


class Editor(CurrentUser):
    def authenticate(self, request: HttpRequest, token: str) -> User | None:
        user = super().authenticate(request, token)
        if user is not None and "editor" not in user.roles:
            raise HttpError(403, "Not enough permissions")
        return user
