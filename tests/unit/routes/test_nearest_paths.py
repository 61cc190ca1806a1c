"""Which path was probably meant."""

import pytest

from gatepost.routes.nearest_paths import NearestPaths

PATHS = NearestPaths(
    [
        "/api/books",
        "/api/books/{id}",
        "/api/authors",
        "/api/books/{book}/restock",
        "/api/auth/login",
        "/api/by-status",
        "/livez",
        "/docs",
    ]
)


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/api/book", "Did you mean /api/books?"),
        ("/api/books/", "Did you mean /api/books?"),
        ("/books", "Did you mean /api/books?"),
        ("/api/book/123", "Did you mean /api/books/123?"),
        ("/api/books/123/restok", "Did you mean /api/books/123/restock?"),
        ("/api", "Below it are /api/auth/login, /api/authors, /api/books and more."),
        ("/api/auth", "Below it are /api/auth/login."),
        ("/healthz", ""),
        ("/api/reports/restock", ""),
        ("/api/desk/by-status", "Did you mean /api/by-status?"),
        ("/api/bookz/by-status", "Did you mean /api/books/by-status?"),
        ("/livz", "Did you mean /livez?"),
        ("/", ""),
        ("/" + "a" * 1000, ""),
    ],
)
def test_the_nearest_path_is_named(path: str, hint: str) -> None:
    assert PATHS.hint(path).strip() == hint


def test_nothing_is_named_where_nothing_is_known() -> None:
    assert NearestPaths(()).hint("/api/books") == ""
