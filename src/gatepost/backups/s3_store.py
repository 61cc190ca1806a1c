"""Backups in a bucket of an S3-compatible store, by obstore (`pip install gatepost[s3]`).

Large files are read in ranges and written in parts, so that a request is short and can be tried again. A bucket may
keep parts of uploads that were killed: a lifecycle rule of the bucket removes them.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, cast

from gatepost.backups.stores import READ_BYTES, StoredFile, checked
from gatepost.errors import ConfigurationError
from gatepost.settings import BackupSettings

PART_BYTES = 32 * 1024 * 1024
"""An upload has at most 10,000 parts: 312 GiB, compressed."""

_TIMEOUT = timedelta(minutes=5)
_RETRY_TIMEOUT = timedelta(seconds=60)


class S3BackupStore:
    """The objects below a prefix of a bucket. Keys that no setting names are taken from the environment of AWS."""

    def __init__(self, settings: BackupSettings) -> None:
        try:
            import obstore
            from obstore.store import S3Store
        except ModuleNotFoundError:
            raise ConfigurationError(
                "A bucket needs the package obstore.",
                location="GATEPOST_BACKUP_STORE",
                hint="Run `pip install gatepost[s3]`.",
            ) from None
        self.shown = str(settings.store)
        bucket, _, prefix = self.shown.removeprefix("s3://").partition("/")
        given = {
            "endpoint": settings.s3_endpoint,
            "region": settings.s3_region,
            "access_key_id": settings.s3_key_id,
            "secret_access_key": settings.s3_secret_key,
        }
        self._obstore: Any = obstore
        with self._explained():
            self._store = S3Store(
                bucket,
                prefix=prefix.strip("/") or None,
                virtual_hosted_style_request=settings.s3_endpoint is None,
                client_options={
                    "allow_http": (settings.s3_endpoint or "").startswith("http://"),
                    "timeout": _TIMEOUT,
                    "connect_timeout": timedelta(seconds=10),
                },
                retry_config={"max_retries": 5, "retry_timeout": _RETRY_TIMEOUT},
                **cast(Any, {name: value for name, value in given.items() if value is not None}),
            )

    def list(self, folder: str) -> list[StoredFile]:
        with self._explained():
            found = [item for part in self._obstore.list(self._store, checked(folder)) for item in part]
        return sorted(StoredFile(item["path"], item["size"]) for item in found)

    def read(self, name: str, *, length: int | None = None) -> bytes:
        with self._explained():
            if length is not None:
                return bytes(self._obstore.get_range(self._store, checked(name), start=0, length=length))
            return bytes(self._obstore.get(self._store, checked(name)).bytes())

    def stream(self, name: str) -> Iterator[bytes]:
        with self._explained():
            size = self._obstore.head(self._store, checked(name))["size"]
        for start in range(0, size, READ_BYTES):
            with self._explained():
                part = self._obstore.get_range(self._store, name, start=start, end=min(size, start + READ_BYTES))
            yield bytes(part)

    def create(self, name: str, data: bytes) -> None:
        with self._explained():
            self._obstore.put(self._store, checked(name), data, mode="create")

    def write(self, name: str, parts: Iterable[bytes]) -> None:
        mistakes: list[Exception] = []

        def remembered() -> Iterator[bytes]:
            # What an iterator raises comes back wrapped.
            try:
                yield from parts
            except Exception as error:
                mistakes.append(error)
                raise

        try:
            with self._explained():
                self._obstore.put(
                    self._store,
                    checked(name),
                    remembered(),
                    use_multipart=True,
                    chunk_size=PART_BYTES,
                    max_concurrency=2,
                )
        except Exception:
            if mistakes:
                raise mistakes[0] from None
            raise

    def delete(self, name: str) -> None:
        with self._explained():
            try:
                self._obstore.delete(self._store, checked(name))
            except FileNotFoundError:
                return

    def remove_leftovers(self, folder: str, older_than_seconds: float) -> None:
        """A lifecycle rule of the bucket does."""

    @contextmanager
    def _explained(self) -> Generator[None]:
        exceptions: Any = self._obstore.exceptions
        try:
            yield
        except FileNotFoundError:
            raise
        except exceptions.AlreadyExistsError:
            raise FileExistsError(self.shown) from None
        except (exceptions.BaseError, ValueError) as error:
            raise ConfigurationError(
                f"The bucket cannot be used: {_first_line(error)}.",
                location=self.shown,
                hint="Look at GATEPOST_BACKUP_S3_ENDPOINT, the region, the keys, and what they may do in the bucket.",
            ) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(". ")
