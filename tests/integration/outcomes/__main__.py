"""`python tests/integration/outcomes`: make the table of moments in docs/reference/errors.md anew."""

import asyncio
import tempfile
from pathlib import Path

from conftest import opened
from outcome_table import PAGE, table_of, with_table

from gatepost.embedded.postgresql import EmbeddedPostgreSQL


async def main(dsn: str) -> None:
    """Provoke everything, and write what came of it."""
    async with opened(dsn) as injector:
        PAGE.write_text(with_table(PAGE.read_text(), await table_of(injector)))


with (
    tempfile.TemporaryDirectory() as folder,
    EmbeddedPostgreSQL(Path(folder) / "data", settings={"fsync": "off"}) as server,
):
    asyncio.run(main(server.dsn("gatepost")))
