"""The body of a sign-in: an e-mail and a password."""

from typing import Annotated

import msgspec
from annotated_types import Len

EMAIL_LENGTHS = Len(3, 320)
PASSWORD_LENGTHS = Len(1, 256)
"""A password that is too short for a new one is no violation of a sign-in, but a wrong password."""


class Credentials(msgspec.Struct, frozen=True):
    """What a user signs in with. As the body of an own endpoint, `body: Credentials`, it has the bounds that
    `POST auth/login` has."""

    email: Annotated[str, EMAIL_LENGTHS]
    password: Annotated[str, PASSWORD_LENGTHS]
