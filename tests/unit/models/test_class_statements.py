"""What SQLAlchemy refuses while a module is imported, with the line and what to write."""

import subprocess
import sys
from pathlib import Path

import pytest

from gatepost import ConfigurationError
from gatepost.server.loading import find_app

DEFERRED = """from __future__ import annotations

from typing import Annotated

from annotated_types import Len
from sqlalchemy.orm import Mapped
from gatepost import App, Model, Resource, anyone


class Deferred(Model):
    __tablename__ = "deferred_statements"
    title: Mapped[Annotated[str, Len(1, 5)]]


app = App(Resource(Deferred, read=anyone))
"""


def test_annotations_that_are_all_text_are_named_with_the_import_to_leave_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deferred_statements.py").write_text(DEFERRED)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigurationError) as refusal:
        find_app("deferred_statements:app")
    sys.modules.pop("deferred_statements", None)

    assert "deferred_statements.py:12: Deferred.title" in str(refusal.value)
    assert "leave `from __future__ import annotations` out of the module" in str(refusal.value)


MISSPELT = """from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship
from gatepost import DTO, App, Model, Resource, anyone, computed, count


class Ticket(Model):
    __tablename__ = "misspelt_tickets"
    comments: Mapped[list["Remark"]] = relationship(back_populates="ticket")


class Remark(Model):
    __tablename__ = "misspelt_remarks"
    ticket_id: Mapped[UUID] = mapped_column(ForeignKey("misspelt_ticket.id"), index=True)
    ticket: Mapped[Ticket] = relationship(back_populates="comments")


class Card(DTO[Ticket]):
    comments_count: int = computed(count(Ticket.comments))


app = App(Resource(Ticket, read=anyone), Resource(Remark, read=anyone))
"""


def test_a_foreign_key_to_a_table_that_is_not_there_is_told_at_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "misspelt_statements.py").write_text(MISSPELT)
    ran = subprocess.run(
        [sys.executable, "-c", "from gatepost.cli.main import main; main(['routes', 'misspelt_statements:app'])"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.stderr == (
        "Error: misspelt_statements.py:15: Remark.ticket_id: refers to 'misspelt_ticket.id', and there is no table "
        "'misspelt_ticket'. Write ForeignKey('misspelt_tickets.id').\n"
    )
