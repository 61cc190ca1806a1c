"""Where HAProxy is on this machine, and how to get it where it is not."""

import os
import platform
import shutil
import sys

from gatepost.errors import ConfigurationError

_PLACES = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
"""Out of the PATH of ordinary users on some systems."""

_COMMANDS = {
    "debian": "sudo apt install haproxy",
    "fedora": "sudo dnf install haproxy",
    "rhel": "sudo dnf install haproxy",
    "arch": "sudo pacman -S haproxy",
    "alpine": "sudo apk add haproxy",
    "suse": "sudo zypper install haproxy",
}


def find_haproxy() -> str:
    """The path of the program. Raises ConfigurationError, which says how to install it, where there is none."""
    found = shutil.which("haproxy", path=os.pathsep.join([os.environ.get("PATH", ""), *_PLACES]))
    if found is None:
        raise ConfigurationError("HAProxy is not installed.", hint=f"Install it: {_installation()}.")
    return found


def _installation() -> str:
    if sys.platform == "darwin":
        return "`brew install haproxy`"
    for system in _systems():
        if system in _COMMANDS:
            return f"`{_COMMANDS[system]}`"
    return "the package `haproxy` of your system, version 2.6 or newer"


def _systems() -> list[str]:
    """The names of this Linux, its own first, then of those that it is like."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return []
    return [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
