"""`gatepost monitoring`: options; the work is in `monitoring.py`."""

from pathlib import Path
from typing import Annotated

import typer

from gatepost.cli.options import AppOption

monitoring = typer.Typer(
    help="Have Prometheus and Alertmanager watch the app.",
    epilog="Example: gatepost monitoring export --folder monitoring",
    no_args_is_help=True,
)


@monitoring.command(epilog="Example: gatepost monitoring export --folder monitoring --job shop")
def export(
    folder: Annotated[Path, typer.Option("--folder", help="Where to write the files; those of before are replaced.")],
    job: Annotated[
        str, typer.Option("--job", help="The job_name by which Prometheus scrapes the instances.")
    ] = "gatepost",
    webhook: Annotated[
        str | None, typer.Option("--webhook", help="URL that Alertmanager posts to, besides the mail of the settings.")
    ] = None,
    app: AppOption = None,
) -> None:
    """Write the objectives of the app as rules for Prometheus, with tests, and a configuration of Alertmanager.

    Secrets are not written. Check them with promtool and amtool.
    """
    from gatepost.cli.monitoring import export_monitoring

    export_monitoring(folder, job, webhook, app)
