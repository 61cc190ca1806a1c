"""The store that the settings name."""

from pathlib import Path

from gatepost.backups.folder_store import FolderStore
from gatepost.backups.stores import BackupStore
from gatepost.errors import ConfigurationError
from gatepost.settings import BackupSettings


def open_store(settings: BackupSettings) -> BackupStore:
    """The store of the settings. Raises ConfigurationError where none is set."""
    if settings.store is None:
        raise ConfigurationError(
            "No backup store is configured.",
            location="GATEPOST_BACKUP_STORE",
            hint="Set GATEPOST_BACKUP_STORE to a folder (/var/backups/shop) or a bucket (s3://bucket/shop).",
        )
    if settings.store.startswith("s3://"):
        from gatepost.backups.s3_store import S3BackupStore

        return S3BackupStore(settings)
    return FolderStore(Path(settings.store))
