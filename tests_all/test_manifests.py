"""The examples in `deploy`, as the programs that would read them see them."""

import subprocess
import warnings
from pathlib import Path

import pytest
import yaml

DEPLOY = Path(__file__).parents[1] / "deploy"
OBJECTS = [
    (path.name, item)
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    for item in yaml.safe_load_all(path.read_text())
    if not item["apiVersion"].startswith("postgresql.cnpg.io/")  # that schema is in no package
]


@pytest.mark.parametrize(("file", "item"), OBJECTS, ids=lambda each: each if isinstance(each, str) else each["kind"])
def test_kubernetes_would_take_it(file: str, item: dict[str, object]) -> None:
    from kubernetes_validate import validate

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own dependencies
        validate(item, "1.33", strict=True)


def test_compose_would_take_it() -> None:
    from compose_spec import PyCompose

    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())  # it knows no merge keys
    assert set(PyCompose.from_yaml(yaml.safe_dump(compose)).service_names()) == compose["services"].keys()
    compose["services"]["valkey"]["restrat"] = "always"
    with pytest.raises(ValueError, match="restrat"):
        PyCompose.from_yaml(yaml.safe_dump(compose))


def test_haproxy_would_take_it(tmp_path: Path) -> None:
    made = (
        f"openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=shop.example -keyout {tmp_path}/key -out {tmp_path}/crt"
    )
    subprocess.run(made.split(), check=True, capture_output=True)
    (tmp_path / "certs").mkdir()
    text = (tmp_path / "crt").read_text() + (tmp_path / "key").read_text()
    (tmp_path / "certs" / "shop.pem").write_text(text)
    given = (DEPLOY / "compose/haproxy.cfg").read_text()
    given = given.replace("/etc/haproxy/haproxy-errors", str(DEPLOY / "haproxy-errors"))
    (tmp_path / "haproxy.cfg").write_text(given.replace("/etc/haproxy/certs/", f"{tmp_path / 'certs'}/"))
    done = subprocess.run(
        ["haproxy", "-c", "-f", tmp_path / "haproxy.cfg"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_promtool_would_take_it(tmp_path: Path) -> None:
    text = (DEPLOY / "compose/prometheus/prometheus.yml").read_text()
    (tmp_path / "token").write_text("secret")
    (tmp_path / "gatepost-rules.yml").write_text("groups: []\n")  # `gatepost monitoring export` writes them
    (tmp_path / "prometheus.yml").write_text(text.replace("/run/secrets/admin-token", str(tmp_path / "token")))
    assert_content("promtool", "check", "config", tmp_path / "prometheus.yml")


def assert_content(*command: str | Path) -> None:
    """The command finds nothing wrong."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["replication.sh", "standby.sh"])
def test_bash_would_take_it(name: str) -> None:
    subprocess.run(["bash", "-n", DEPLOY / "compose" / name], check=True)
