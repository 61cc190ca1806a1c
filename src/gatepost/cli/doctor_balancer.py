"""`gatepost doctor --haproxy FILE`: a balancer's configuration, compared with the settings of the instances behind it.

The settings are those of the server that runs here at an instance's port; where none does, those of this environment.
"""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

from gatepost.balancer.configuration_checks import Backend, backends_of, mistakes_of
from gatepost.balancer.haproxy import check_configuration
from gatepost.balancer.programs import find_haproxy
from gatepost.balancer.sections import Directive, read_sections
from gatepost.cli.admin_client import find
from gatepost.cli.doctor_findings import DoctorFinding
from gatepost.environment import load_settings
from gatepost.errors import ConfigurationError
from gatepost.gateway.trusted_proxies import TrustedProxies

TRUSTED, DELAY = "GATEPOST_TRUSTED_PROXIES", "GATEPOST_DRAIN_DELAY_SECONDS"
OF_ENVIRONMENT = "of this environment"


def examine_balancer(file: Path) -> list[DoctorFinding]:
    """Every finding. Raises ConfigurationError for a file that cannot be read or has no servers."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot be read: {error}.", location=str(file)) from None
    backends = backends_of(read_sections(text))
    if not backends:
        raise ConfigurationError(
            "has no backend with servers.", location=str(file), hint="Name the configuration file of HAProxy."
        )
    findings = [_syntax(file)]
    for backend in backends:
        mistakes = mistakes_of(backend)
        findings += [
            DoctorFinding(each.subject, False, f"{each.where}: {each.detail}", each.hint, is_warning=each.is_warning)
            for each in mistakes
        ]
        wrong = {each.subject for each in mistakes}
        well = {
            "health checks": f"{backend.where()}: GET /readyz decides who gets requests",
            "retries": f"{backend.where()}: no write is sent again that may have been carried out",
            "forwarded headers": f"{backend.where()}: address, scheme and host are forwarded, and clients choose none",
        }
        findings += [DoctorFinding(subject, True, detail) for subject, detail in well.items() if subject not in wrong]
        for server in backend.servers:
            findings += _instance(backend, server)
    return findings


def _syntax(file: Path) -> DoctorFinding:
    try:
        program = find_haproxy()
    except ConfigurationError:
        return DoctorFinding("syntax", True, "not checked, because HAProxy is not installed here")
    try:
        check_configuration(program, file)
    except ConfigurationError as error:
        hint = "Correct it, or run this on the machine that has its certificates and folders."
        return DoctorFinding("syntax", False, error.message, hint)
    return DoctorFinding("syntax", True, "HAProxy accepts the file")


def _instance(backend: Backend, server: Directive) -> Iterator[DoctorFinding]:
    name, address = server.words[1:3]
    host, port = _host_and_port(address)
    settings, source = _settings_at(host, port)
    yield _trust(name, host, settings[TRUSTED], source)
    delay, seconds = float(settings[DELAY] or 0), backend.detection_seconds(server)
    if seconds >= delay:
        detail = (
            f"{name}: that it drains is noticed after {seconds:g} s and two checks, and {DELAY} is {delay:g} ({source})"
        )
        hint = f"Set {DELAY}={seconds + 2:g}, or check more often."
        yield DoctorFinding("drain", False, detail, hint)
    else:
        detail = f"{name}: that it drains is noticed after {seconds:g} s and what the checks take, within {delay:g} s"
        yield DoctorFinding("drain", True, detail)


def _trust(name: str, host: str | None, trusted: str | None, source: str) -> DoctorFinding:
    """Whether the instance believes what HAProxy forwards: of the address from which this machine reaches it."""
    ours = "unix" if host is None else _own_address(host)
    if ours is None:
        detail = f"{name}: {host} cannot be reached from here, so the balancer's address is not known"
        return DoctorFinding("trust", False, detail, "Run this on the machine of the balancer.", is_warning=True)
    if trusted is None and source == OF_ENVIRONMENT:
        detail = f"{name}: it is reached from {ours}; whether its {TRUSTED} contains that is not known here"
        hint = f"Compare it there, or run this on its machine, or with {TRUSTED}=... as it is there."
        return DoctorFinding("trust", False, detail, hint, is_warning=True)
    entries = [entry.strip() for entry in (trusted or "").split(",") if entry.strip()]
    if entries and TrustedProxies(entries).trusts("" if host is None else ours):
        return DoctorFinding("trust", True, f"{name}: {TRUSTED} contains {ours} ({source})")
    detail = (
        f"{name}: it is reached from {ours}, which {TRUSTED} does not contain ({source}): the address, the scheme and "
        "the host that are forwarded are ignored, and all clients share one bucket of the rate limits"
    )
    return DoctorFinding("trust", False, detail, f"Set {TRUSTED}={','.join([*entries, ours])} at the instance.")


def _host_and_port(address: str) -> tuple[str | None, int | None]:
    """Of `10.0.0.7:8000`, `[::1]:8000`, `ipv4@shop:8000`; no host for a Unix socket."""
    kind, _, rest = address.rpartition("@")
    if kind in ("unix", "abns") or rest.startswith("/"):
        return None, None
    host, _, port = rest.rpartition(":")
    return (host or rest).strip("[]"), int(port) if port.isdecimal() else None


def _own_address(host: str) -> str | None:
    """The address from which this machine sends to that one. Nothing is sent."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(address)
            return str(probe.getsockname()[0])
    except OSError:
        return None


def _settings_at(host: str | None, port: int | None) -> tuple[dict[str, str | None], str]:
    """The two settings of an instance, and where they are from."""
    if port is not None and host is not None and _own_address(host) == _resolved(host):
        try:
            found = find("/application", port=port)
        except ConfigurationError:
            found = None
        if found is not None:
            rows: dict[str, str | None] = {row["variable"]: row["value"] for row in found["settings"]}
            if TRUSTED in rows:
                return rows, f"of the server {found['instance']}, which runs"
    environ = {"GATEPOST_ENV": "production", **os.environ}
    settings = load_settings(environ)
    trusted, delay = ",".join(settings.gate.trusted_proxies), settings.server.drain_delay_seconds
    return {TRUSTED: trusted or None, DELAY: str(delay)}, OF_ENVIRONMENT


def _resolved(host: str) -> str | None:
    try:
        return str(socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0][4][0])
    except OSError:
        return None
