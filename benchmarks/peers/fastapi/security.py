"""Who is asking: the token and the user behind it."""

import os
from pathlib import Path
from typing import Annotated
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from .database import get_session
from .models import User

public_key = load_pem_public_key(Path(os.environ["PUBLIC_KEY_FILE"]).read_bytes())
bearer = HTTPBearer(auto_error=False)
unauthorized = HTTPException(401, "Could not validate credentials", {"WWW-Authenticate": "Bearer"})


async def get_current_user(
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    session: Annotated[AsyncSession, Depends(get_session)],
) -> User:
    if credentials is None:
        raise unauthorized
    try:
        claims = jwt.decode(
            credentials.credentials, public_key, algorithms=["EdDSA"], audience="gatepost", issuer="gatepost"
        )
    except jwt.InvalidTokenError as error:
        raise unauthorized from error
    user = await session.scalar(select(User).where(User.id == UUID(claims["sub"])))
    if user is None or not user.is_active:
        raise unauthorized
    return user


async def get_editor(user: Annotated[User, Depends(get_current_user)]) -> User:
    if "editor" not in user.roles:
        raise HTTPException(403, "Not enough permissions")
    return user
