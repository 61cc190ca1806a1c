"""Makes two revision files and prints them: a program, because the order of sets depends on PYTHONHASHSEED."""

import asyncio
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import CheckConstraint, Column, Enum, ForeignKey, Integer, MetaData, Table, Text, UniqueConstraint

from gatepost.migrations.file_commands import make
from gatepost.models.base import NAMING

NAMES = ("ant", "bee", "cat", "dog")


def animals(*, full: bool, named: bool) -> MetaData:
    """Four tables; when `full` with checks, unique constraints, foreign keys, indexes and enums."""
    metadata = MetaData(naming_convention=NAMING if named else None)
    for table in NAMES:
        columns: list[Any] = [Column("id", Integer, primary_key=True)]
        columns += [Column(name, Integer) for name in NAMES]
        if full:
            columns += [Column(f"new_{name}", ForeignKey("ant.id"), index=True) for name in NAMES[1:]]
            columns += [CheckConstraint(f"{name} > 3", name=f"{table}_{name}" if named else None) for name in NAMES]
            columns += [UniqueConstraint(name, "id") for name in NAMES]
            columns += [Column(f"kind_{name}", Enum("a", "b", name=f"{table}_{name}")) for name in NAMES]
            checks = [
                CheckConstraint(f"note <> '{name}'", name=f"{table}_no_{name}" if named else None) for name in NAMES
            ]
            columns += [Column("note", Text, *checks)]
        Table(table, metadata, *columns)
    return metadata


async def made(database_url: str, metadata: MetaData, folder: Path) -> str:
    """The functions of the revision file, without its name."""
    path = await make(database_url, metadata, folder, "A change", allow_loss=True)
    return re.sub(r"\b[0-9a-f]{12}\b", "", path.read_text().partition("\ndef ")[2]) if path else ""


async def main(database_url: str) -> None:
    for named in (True, False):
        with TemporaryDirectory() as folder:
            for full in (False, True):
                sys.stdout.write(await made(database_url, animals(full=full, named=named), Path(folder)))
            sys.stdout.write(await made(database_url, MetaData(), Path(folder)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
