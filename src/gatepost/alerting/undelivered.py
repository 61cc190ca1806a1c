"""`Undelivered`: a message did not reach its receiver, and may when it is sent again."""


class Undelivered(Exception):
    """The message says why, in words without secrets."""
