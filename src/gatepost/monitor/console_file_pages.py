"""The page of the console and its files as responses of an admin listener, and of the port of `gatepost console`."""

from gatepost.console.console_files import ASSETS, HEADERS, ROOT, ConsoleFile, console_files
from gatepost.monitor.page_table import Page, Request, json_page


def is_of_console(path: str) -> bool:
    """Whether a path is one of the console's."""
    return path == ROOT or path.startswith(f"{ROOT}/")


def console_page(request: Request) -> Page:
    """The file at this path of the console, or its page."""
    if request.method not in {"GET", "HEAD"}:
        return json_page(405, {"detail": "The console is read; what changes something is below /console/api/."})
    if not request.path.startswith(ASSETS):
        return file_page(console_files().index, request)
    found = console_files().find(request.path.removeprefix(ASSETS))
    return missing_page(request) if found is None else file_page(found, request)


def file_page(file: ConsoleFile, request: Request) -> Page:
    """A file, compressed for browsers that take it so; or that it is still the one that the browser has."""
    headers = {**HEADERS, "etag": file.tag, "cache-control": file.caching, "vary": "accept-encoding"}
    if file.is_known(request.headers.get("if-none-match", "")):
        return Page(304, file.content_type, b"", headers)
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Page(200, file.content_type, file.body, headers)
    return Page(200, file.content_type, file.compressed, {**headers, "content-encoding": "gzip"})


def missing_page(request: Request) -> Page:
    """That there is nothing."""
    return json_page(404, {"detail": f"There is nothing at {request.path}."})
