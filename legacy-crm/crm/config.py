"""Settings: the environment first, then what the caller of the factory overrides, then a check."""
import os
import tempfile

REQUIRED = {
    "SECRET_KEY": "FLASK_SECRET_KEY",
    "SQLALCHEMY_DATABASE_URI": "DATABASE_URL",
    "FERNET_KEYS": "CRM_FERNET_KEYS",
}


def database_uri(url):
    """Name the driver: newer SQLAlchemy takes a plain `postgresql://` to another one."""
    for scheme in ("postgresql://", "postgres://"):
        if url and url.startswith(scheme):
            return "postgresql+psycopg2://" + url[len(scheme):]
    return url


def _switch(name, default):
    return os.environ.get(name, default).strip().lower() in ("1", "true", "yes", "on")


def _cache_settings(seconds):
    directory = os.environ.get("CRM_CACHE_DIR")
    settings = {"CACHE_TYPE": "SimpleCache", "CACHE_DEFAULT_TIMEOUT": seconds}
    if directory:
        settings.update(CACHE_TYPE="FileSystemCache", CACHE_DIR=directory)
    return settings


def from_environment(overrides=None):
    """Return all settings as a dict; raise RuntimeError when a required one is missing."""
    report_cache_seconds = int(os.environ.get("CRM_REPORT_CACHE_SECONDS", "60"))
    settings = {
        "SECRET_KEY": os.environ.get("FLASK_SECRET_KEY"),
        "SQLALCHEMY_DATABASE_URI": database_uri(os.environ.get("DATABASE_URL")),
        "SQLALCHEMY_TRACK_MODIFICATIONS": False,
        "SQLALCHEMY_ENGINE_OPTIONS": {"pool_size": 10, "pool_pre_ping": True},
        "FERNET_KEYS": [k.strip() for k in os.environ.get("CRM_FERNET_KEYS", "").split(",") if k.strip()],
        "UPLOAD_DIR": os.environ.get("CRM_UPLOAD_DIR") or os.path.join(tempfile.gettempdir(), "crm-uploads"),
        "WEBHOOK_SECRET": os.environ.get("CRM_WEBHOOK_SECRET"),
        "REPORT_CACHE_SECONDS": report_cache_seconds,
        "REGISTRATION_OPEN": _switch("CRM_REGISTRATION_OPEN", "1"),
        "MAX_CONTENT_LENGTH": 10 * 1024 * 1024,
        "PER_PAGE": 25,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": _switch("CRM_COOKIE_SECURE", "0"),
        "REMEMBER_COOKIE_HTTPONLY": True,
        "REMEMBER_COOKIE_SECURE": _switch("CRM_COOKIE_SECURE", "0"),
        # Flask-RESTful would list similar URLs in its 404 answers: nobody's business.
        "ERROR_404_HELP": False,
    }
    settings.update(_cache_settings(report_cache_seconds))
    settings.update(overrides or {})
    missing = [variable for key, variable in sorted(REQUIRED.items()) if not settings.get(key)]
    if missing:
        raise RuntimeError("missing environment variables: " + ", ".join(missing))
    return settings
