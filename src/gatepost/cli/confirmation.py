"""Asking before something is done that cannot be undone."""

import sys


def agrees(question: str) -> bool:
    """Whether somebody at the terminal says yes; False where there is none."""
    if not sys.stdin.isatty():
        return False
    sys.stdout.write(f"{question} [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
