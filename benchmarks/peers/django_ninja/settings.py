"""Settings of the project, as Django's deployment checklist and the packages' documentation have them."""

import os

from psycopg.conninfo import conninfo_to_dict

SECRET_KEY = os.urandom(32).hex()  # nothing is signed with it
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "benchmarks.peers.django_ninja.urls"
INSTALLED_APPS = ["corsheaders", "ninja", "benchmarks.peers.django_ninja"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"

MIDDLEWARE = [
    "benchmarks.peers.django_ninja.middleware.headers_and_log",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.common.CommonMiddleware",
    "benchmarks.peers.django_ninja.middleware.rate_limit",
]
SECURE_REFERRER_POLICY = "no-referrer"
X_FRAME_OPTIONS = "SAMEORIGIN"
CORS_ALLOWED_ORIGINS = ["https://shop.example"]

# Each thread of the server keeps its connection.
_connection = conninfo_to_dict(os.environ["DATABASE_URL"])
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _connection.pop("dbname"),
        "OPTIONS": {**_connection, "server_side_binding": True, "prepare_threshold": 2},
        "CONN_MAX_AGE": None,
    }
}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(message)s"}},
    "handlers": {"stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "line"}},
    "loggers": {"bookshop.access": {"handlers": ["stdout"], "level": "INFO"}},
    "root": {"handlers": ["stdout"], "level": "WARNING"},
}
