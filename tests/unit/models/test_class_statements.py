"""What SQLAlchemy refuses while a module is imported, with the line and what to write."""

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
