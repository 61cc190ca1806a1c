"""The demo's users: known to everybody who can read this, and therefore only made by `make run`."""

EDITOR = "editor@bookshop.example"
CUSTOMERS = ("ada@bookshop.example", "grace@bookshop.example", "linus@bookshop.example")
PASSWORD = "correct horse battery"  # noqa: S105 - printed at the start
