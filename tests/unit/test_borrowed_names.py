"""Private names of libraries that Gatepost uses: each is listed here, and is there in the versions that are installed.

Versions of these libraries are bounded in `pyproject.toml`, because a private name may go with any minor one.
"""

import ast
import inspect
import sys
import tomllib
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import asyncpg
import granian
import pytest
from alembic.script import ScriptDirectory
from asyncpg.protocol import protocol
from sqlalchemy import Connection, Select
from sqlalchemy.connectors.asyncio import AsyncAdapt_dbapi_cursor
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.event.attr import _ClsLevelDispatch  # pyright: ignore[reportPrivateUsage]
from sqlalchemy.orm import Mapper, MapperProperty, Session
from sqlalchemy.sql import selectable
from sqlalchemy.sql import util as sql_util
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BindParameter, ClauseElement, ColumnElement, Grouping
from sqlalchemy.sql.schema import CallableColumnDefault
from sqlalchemy.types import TypeEngine

import gatepost
from gatepost.database.sessions import Sessions

SOURCE = Path(gatepost.__file__).parent
ROOT = SOURCE.parent.parent

BORROWED: dict[str, Any] = {
    "_adapt_connection": AsyncAdapt_dbapi_cursor,
    "_auto_correlate": Select,
    "_bind_processors": SQLCompiler,
    "_clone": ClauseElement,
    "_cloned_set": ClauseElement,
    "_clslevel": _ClsLevelDispatch,
    "_configure_finished": MapperProperty,
    "_correlate": Select,
    "_correlate_except": Select,
    "_deannotate": ClauseElement,
    "_deep_deannotate": sql_util,
    "_distinct": Select,
    "_downgrade_revs": ScriptDirectory,
    "_event_names": Session.dispatch,
    "_execution_options": Connection,
    "_fetch_clause": Select,
    "_fn": CallableColumnDefault,
    "_for_update_arg": Select,
    "_from_obj": Select,
    "_from_objects": ColumnElement,
    "_gen_cache_key": BindParameter,
    "_generate_cache_key": ClauseElement,
    "_getframe": sys,
    "_group_by_clauses": Select,
    "_has_bind_expression": TypeEngine,
    "_has_events": Connection,
    "_having_criteria": Select,
    "_independent_ctes": Select,
    "_is_clean": Session,
    "_is_tuple_type": TypeEngine,
    "_limit_clause": Select,
    "_OffsetLimitParam": selectable,
    "_offset_clause": Select,
    "_order_by_clauses": Select,
    "_params": asyncpg.Connection,
    "_render_exprs": ExcludeConstraint,
    "_props": Mapper,
    "_protocol": asyncpg.Connection,
    "_raw_columns": Select,
    "_setup_joins": Select,
    "_spawn_worker": granian.Granian,
    "_spawn_workers": granian.Granian,
    "_static_cache_key": TypeEngine,
    "_traverse_internals": BindParameter,
    "_upgrade_revs": ScriptDirectory,
    "_where_criteria": Select,
    "_with_options": Select,
}
"""What the source reads or calls on objects of a library, by the class or module that has it. The clauses of a `Select`
have no public names: its ORDER BY, LIMIT, GROUP BY and correlation tell what lists and policies may add to it."""

PUBLIC = {"_asdict", "_exit", "_field_defaults"}
"""Names of the standard library that are documented, of `os` and of named tuples."""

OF_EXPRESSIONS = ("_compiler_dispatch", "_from_objects", "_gen_cache_key", "_traverse_internals")
"""What `Readable` and `ReadableCondition` override of SQLAlchemy's expressions."""

OVERRIDDEN = ("_init_shared_socket", "_serve_loop", "_stop_workers")
"""Methods of Granian's that `server/granian_server.py` overrides."""

SET = ("_ssp", "_shd", "_sfd", "_sso")
"""Attributes of Granian's that it sets."""

BOUNDED = ("alembic", "asyncpg", "granian", "sqlalchemy[asyncio]")


def _trees() -> list[ast.Module]:
    return [ast.parse(path.read_text()) for path in sorted(SOURCE.rglob("*.py"))]


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def _defined(node: ast.AST) -> list[str]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [node.name]
        case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name, ctx=ast.Store()):
            return [name]
        case ast.Name(id=name, ctx=ast.Store()):
            return [name]
        case _:
            return []


def _used(node: ast.AST) -> list[str]:
    match node:
        case ast.Attribute(attr=name):
            return [name]
        case ast.ImportFrom(names=names):
            return [alias.name for alias in names]
        case _:
            return []


def _names(of: Callable[[ast.AST], list[str]]) -> set[str]:
    nodes = chain.from_iterable(ast.walk(tree) for tree in _trees())
    return {name for node in nodes for name in of(node) if _is_private(name)}


def test_every_private_name_of_a_library_is_listed() -> None:
    ours = _names(_defined) - {*OF_EXPRESSIONS}
    assert _names(_used) - ours - PUBLIC == BORROWED.keys()


@pytest.mark.parametrize("name", BORROWED)
def test_a_private_name_of_a_library_is_there(name: str) -> None:
    owner = BORROWED[name]
    assert hasattr(owner, name) or f"self.{name} =" in inspect.getsource(owner)


@pytest.mark.parametrize("name", OF_EXPRESSIONS)
def test_what_expressions_override_is_there(name: str) -> None:
    assert hasattr(BindParameter, name)
    assert hasattr(Grouping, name)


@pytest.mark.parametrize("name", OVERRIDDEN)
def test_a_method_of_granians_that_is_overridden_is_there(name: str) -> None:
    assert callable(getattr(granian.Granian, name))


@pytest.mark.parametrize("name", SET)
def test_an_attribute_of_granians_that_is_set_is_there(name: str) -> None:
    bases = [base for base in granian.Granian.__mro__ if base.__module__.startswith("granian.")]
    assert any(f"self.{name}" in inspect.getsource(base) for base in bases)


def test_asyncpg_counts_the_queries_of_a_connection() -> None:
    assert hasattr(protocol.BaseProtocol, "queries_count")


def test_sqlalchemy_makes_an_engine_without_a_first_connection() -> None:
    assert Sessions()


@pytest.mark.parametrize("name", BOUNDED)
def test_a_library_with_borrowed_names_has_a_bounded_version(name: str) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    (line,) = (each for each in declared if each.startswith(f"{name}>="))
    assert ",<" in line
