"""The one settings file: runs from a fresh clone; the environment says only what differs (docs/configuration.md)."""

import os
from ipaddress import ip_network
from pathlib import Path

from csp.constants import NONCE, NONE, SELF
from django.utils.translation import gettext_lazy as _
from environs import Env, validate

from trainportal import secret

env = Env()
BASE_DIR = Path(__file__).resolve().parent.parent

# --- what the environment says -------------------------------------------------------------------------------------
TRAINPORTAL_HOME = env.path("TRAINPORTAL_HOME", BASE_DIR / "var").resolve()
DEBUG = env.bool("TRAINPORTAL_DEBUG", False)
ALLOWED_HOSTS = env.list("TRAINPORTAL_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
TRAINPORTAL_TLS = env.bool("TRAINPORTAL_TLS", False)
TRAINPORTAL_HOST_NAME = env.str("TRAINPORTAL_HOST_NAME", os.uname().nodename)
TRAINPORTAL_CPU_SLOTS = env.int("TRAINPORTAL_CPU_SLOTS", 1)
TRAINPORTAL_CONTAINER_TOOL = env.str("TRAINPORTAL_CONTAINER_TOOL", "auto")  # or its words: "podman --runtime runc"
TRAINPORTAL_CONTAINER_OPTIONS = env.str("TRAINPORTAL_CONTAINER_OPTIONS", "")  # more words for each `run`
TRAINPORTAL_CONTAINER_BUILD_OPTIONS = env.str("TRAINPORTAL_CONTAINER_BUILD_OPTIONS", "")  # and for each `build`
TRAINPORTAL_CONTAINER_NETWORK = env.str("TRAINPORTAL_CONTAINER_NETWORK", "none")
TRAINPORTAL_CONTAINER_MEMORY = env.str(
    "TRAINPORTAL_CONTAINER_MEMORY", ""
)  # as the tool takes it: "24g"; empty: no limit
TRAINPORTAL_CONTAINER_PIDS = env.int("TRAINPORTAL_CONTAINER_PIDS", 4096)
TRAINPORTAL_SANDBOX = env.str("TRAINPORTAL_SANDBOX", "auto", validate=validate.OneOf(["auto", "bwrap", "off"]))
TRAINPORTAL_WEIGHTS_DIR = env.str("TRAINPORTAL_WEIGHTS_DIR", "")
TRAINPORTAL_GIT_PROTOCOLS = env.list("TRAINPORTAL_GIT_PROTOCOLS", ["https", "http", "ssh"])  # of kernels' sources
TRAINPORTAL_RETENTION_DAYS = env.int("TRAINPORTAL_RETENTION_DAYS", 7)  # of uploads nobody imported
SECRET_KEY = env.str("TRAINPORTAL_SECRET_KEY", "") or secret.read_or_make(TRAINPORTAL_HOME / "secret_key")
DATABASE_URL = env.str("DATABASE_URL", f"sqlite:///{TRAINPORTAL_HOME / 'db.sqlite3'}")
LANGUAGE_CODE = env.str("TRAINPORTAL_LANGUAGE", "en")
TIME_ZONE = env.str("TRAINPORTAL_TIME_ZONE", "UTC")
LOG_LEVEL = env.str("TRAINPORTAL_LOG_LEVEL", "INFO")

# --- the job engine: deadlines in seconds (design in docs/jobs.md) ---------------------------------------------------
JOB_LEASE = env.float("TRAINPORTAL_JOB_LEASE", 60.0)  # a runner that said nothing for so long may be looked after
JOB_POLL = env.float("TRAINPORTAL_JOB_POLL", 1.0)  # how often a runner looks at its kernel
JOB_TICK = env.float("TRAINPORTAL_JOB_TICK", 2.0)  # how often a worker looks at the queue
JOB_GRACE = env.float("TRAINPORTAL_JOB_GRACE", 45.0)  # SIGTERM to SIGKILL; torchrun alone needs 31
JOB_RESUMES = env.int("TRAINPORTAL_JOB_RESUMES", 3)  # how often a lost kernel is started again
JOB_HOST_LOST = env.float("TRAINPORTAL_JOB_HOST_LOST", 300.0)  # a host that said nothing for so long is lost
JOB_PATIENCE = env.float("TRAINPORTAL_JOB_PATIENCE", 3600.0)  # a job that waited so long blocks younger ones
JOB_RUNNER_LOST = env.float("TRAINPORTAL_JOB_RUNNER_LOST", 300.0)  # a runner that does nothing for so long is replaced
JOB_CANARY = env.float("TRAINPORTAL_JOB_CANARY", 15.0)  # how often the task queue is proven alive
JOB_FUNCTIONS = env.int("TRAINPORTAL_JOB_FUNCTIONS", 2)  # imports and the like at a time on a host

# --- limits of one run: what a kernel says in its kernel.toml goes first; 0 is none -----------------------------------
JOB_WALL_LIMIT = env.float("TRAINPORTAL_JOB_WALL_LIMIT", 0.0)  # seconds that it may run
JOB_SILENCE = env.float("TRAINPORTAL_JOB_SILENCE", 1800.0)  # seconds without output until its timeline says so
JOB_SILENCE_STOP = env.float("TRAINPORTAL_JOB_SILENCE_STOP", 0.0)  # seconds without output until it is stopped
JOB_LOG_LIMIT = env.int("TRAINPORTAL_JOB_LOG_LIMIT", 200 * 1024**2)  # bytes of its log; then the middle is cut out
JOB_DISK_QUOTA = env.int("TRAINPORTAL_JOB_DISK_QUOTA", 0)  # bytes of all it writes
JOB_DISK_FLOOR = env.int("TRAINPORTAL_JOB_DISK_FLOOR", 1024**3)  # bytes that must be free on a host before a start

# --- the broker bridge, for kernels that report over RabbitMQ (docs/broker.md) ---------------------------------------
BROKER_URL = env.str("TRAINPORTAL_BROKER_URL", "", validate=validate.Regexp("^$|amqps?://.+"))
BROKER_ADDRESS = env.str("TRAINPORTAL_BROKER_ADDRESS", "", validate=validate.Regexp(r"^$|[^\s/:]+:\d+$"))  # for kernels
BROKER_API = env.str(
    "TRAINPORTAL_BROKER_API", "", validate=validate.Regexp("^$|https?://.+")
)  # its management plugin's
BROKER_NETWORK = env.str("TRAINPORTAL_BROKER_NETWORK", "")  # of containers that report over it
BROKER_KERNELS = env.str("TRAINPORTAL_BROKER_KERNELS", "", validate=validate.Regexp("^$|[^:]+:.+"))
BROKER_PATIENCE = env.float("TRAINPORTAL_BROKER_PATIENCE", 120.0)  # seconds that a broker may be away at start and end

# --- notifications (docs/notifications.md) ----------------------------------------------------------------------------
TRAINPORTAL_URL = env.str("TRAINPORTAL_URL", "")
NOTIFY_NETWORKS = [ip_network(name.strip()) for name in env.list("TRAINPORTAL_NOTIFY_NETWORKS", list[str]())]
NOTIFY_TIMEOUT = env.float("TRAINPORTAL_NOTIFY_TIMEOUT", 10.0)  # seconds that an address or a mail server gets
NOTIFY_ATTEMPTS = env.int("TRAINPORTAL_NOTIFY_ATTEMPTS", 8)
NOTIFY_BACKOFF = env.float("TRAINPORTAL_NOTIFY_BACKOFF", 30.0)  # seconds to the second try, then four times as long

# --- limits ---------------------------------------------------------------------------------------------------------
UPLOAD_LIMIT = env.int("TRAINPORTAL_UPLOAD_LIMIT", 20 * 1024**3)  # bytes of one uploaded archive
UPLOAD_QUOTA = env.int("TRAINPORTAL_UPLOAD_QUOTA", 100 * 1024**3)  # bytes of all uploads of a user that wait
UPLOAD_KEPT_HOURS = env.float("TRAINPORTAL_UPLOAD_KEPT_HOURS", 48.0)  # how long one waits for its next piece
UPLOAD_PIECE = env.int("TRAINPORTAL_UPLOAD_PIECE", 16 * 1024**2)  # bytes a request; a proxy must let so many pass
ARCHIVE_ENTRIES = env.int("TRAINPORTAL_ARCHIVE_ENTRIES", 1_000_000)  # files in an archive
ARCHIVE_BYTES = env.int("TRAINPORTAL_ARCHIVE_BYTES", 100 * 1024**3)  # of all its files together
ARCHIVE_FILE_BYTES = env.int("TRAINPORTAL_ARCHIVE_FILE_BYTES", 10 * 1024**3)  # of one of them
ARCHIVE_RATIO = env.float("TRAINPORTAL_ARCHIVE_RATIO", 200.0)  # unpacked to packed size, from 1 MB on
IMAGE_PIXELS = env.int("TRAINPORTAL_IMAGE_PIXELS", 200_000_000)  # of one picture
ETC_LIMIT = env.int("TRAINPORTAL_ETC_LIMIT", 100 * 1024**2)  # bytes of the extra files of one training
SWEEP_LIMIT = env.int("TRAINPORTAL_SWEEP_LIMIT", 100)  # trainings that one form may start
TRAINPORTAL_DOCTOR_LIMIT = env.float("TRAINPORTAL_DOCTOR_LIMIT", 600.0)  # seconds of one run that tries a kernel

# --- Django ---------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "trainportal",
    "models_app",
    "datasets_app",
    "kernels_app",
    "jobs",
    "projects_app",
    "django.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "django_q",
    "csp",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "trainportal.middleware.UserLocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "trainportal.middleware.KeepingLoginRequired",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "trainportal.middleware.refuse_nul",
]
ROOT_URLCONF = "trainportal.urls"
WSGI_APPLICATION = "trainportal.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "trainportal.context.portal",
            ],
            "builtins": ["django.templatetags.i18n", "django.templatetags.static", "trainportal.templatetags.portal"],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# SQLite as measured: WAL and IMMEDIATE, otherwise concurrent writers lose results; PostgreSQL keeps its connections
DATABASES = {"default": env.dj_db_url("DATABASE_URL", DATABASE_URL)}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["TEST"] = {"NAME": TRAINPORTAL_HOME / "test.sqlite3"}  # a file: processes share it
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
    DATABASES["default"]["CONN_MAX_AGE"] = 60  # opening a connection costs more than most requests
else:
    DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    # a server that is gone without a word is noticed within half a minute, not after the system's two hours
    gone = {"connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
    DATABASES["default"]["OPTIONS"] = gone | {"tcp_user_timeout": 30_000} | DATABASES["default"].get("OPTIONS", {})
DEFAULT_FROM_EMAIL = env.str("TRAINPORTAL_EMAIL_FROM", "trainportal@localhost")
globals().update(env.dj_email_url("TRAINPORTAL_EMAIL_URL", "dummy://") | {"EMAIL_TIMEOUT": NOTIFY_TIMEOUT})

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "projects_app.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"

LANGUAGES = [("en", "English"), ("ko", "한국어")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = TRAINPORTAL_HOME / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "trainportal.storage.HashedStaticStorage"
    },
}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG
FILE_UPLOAD_TEMP_DIR = TRAINPORTAL_HOME / "tmp"
FILE_UPLOAD_TEMP_DIR.mkdir(parents=True, exist_ok=True)
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 1024**2
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000

# --- the task queue: short, idempotent deliveries only; the Job row is the truth (docs/jobs.md) ----------------------
Q_CLUSTER = {
    "name": "trainportal",
    "orm": "default",
    "broker_class": "jobs.broker.Broker",  # a queue for all hosts, and one for each
    "workers": 2,
    "queue_limit": 2,
    "bulk": 1,
    "poll": 0.5,
    "timeout": 300,
    "retry": 1200,
    "max_attempts": 3,
    "ack_failures": True,
    "recycle": 200,
    "max_rss": 800_000,
    "guard_cycle": 1,
    "save_limit": 200,
    "catch_up": False,
    "label": _("Task queue"),
}

# --- security -------------------------------------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "object-src": [NONE],
    }
}
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = TRAINPORTAL_TLS
SECURE_SSL_REDIRECT = TRAINPORTAL_TLS
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if TRAINPORTAL_TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = TRAINPORTAL_TLS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRAINPORTAL_TLS else None
SECURE_REFERRER_POLICY = "same-origin"
CSRF_TRUSTED_ORIGINS: list[str] = env.list("TRAINPORTAL_TRUSTED_ORIGINS", [])
CSRF_FAILURE_VIEW = "trainportal.views.csrf_failure"
X_FRAME_OPTIONS = "DENY"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {"django.server": {"level": "WARNING"}, "django-q": {"level": "WARNING"}, "pika": {"level": "CRITICAL"}},
}
