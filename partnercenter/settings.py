"""Django settings. What an installation may change is read from the environment; see docs/operating.md."""

import os
import secrets
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import available_timezones

import dj_database_url
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from environs import Env

BASE_DIR = Path(__file__).resolve().parent.parent
VAR = BASE_DIR / "var"
VAR.mkdir(exist_ok=True)

TASK_BACKENDS = {
    "immediate": "django_tasks.backends.immediate.ImmediateBackend",
    "database": "django_tasks_db.DatabaseBackend",
}

env = Env()
env.read_env(BASE_DIR / ".env", recurse=False)
TESTING = "PYTEST_VERSION" in os.environ

# --- What an installation may change ----------------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", [])
SECURE_SSL = env.bool("SECURE_SSL", not DEBUG and not TESTING)
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", 0)

CURRENCY = env.str("CURRENCY", "USD")
BILLING_TIME_ZONE = env.str("BILLING_TIME_ZONE", "Asia/Shanghai")
if BILLING_TIME_ZONE not in available_timezones():
    raise ImproperlyConfigured("BILLING_TIME_ZONE is not a time zone. Write one such as Asia/Shanghai.")
UPLOAD_MAX_MEGABYTES = env.int("UPLOAD_MAX_MEGABYTES", 200)
# A report whose sum falls below, or rises above, these multiples of the stored sum needs a confirmation. Sums below the
# floor and reports about fewer accounts are not questioned; see rule 8.3 (docs/rules.md).
REPORT_GUARD_FALL = env.decimal("REPORT_GUARD_FALL", Decimal("0.8"))
REPORT_GUARD_RISE = env.decimal("REPORT_GUARD_RISE", Decimal(3))
REPORT_GUARD_FLOOR = env.decimal("REPORT_GUARD_FLOOR", Decimal(100))
REPORT_GUARD_FEWEST = env.int("REPORT_GUARD_FEWEST", 20)
PAY_PER_USE_WHEN_EXHAUSTED = env.bool("PAY_PER_USE_WHEN_EXHAUSTED", True)
RESOURCE_RETENTION_DAYS = env.int("RESOURCE_RETENTION_DAYS", 15)

SECRET_KEY = env.str("SECRET_KEY", "")
if not SECRET_KEY:
    # A random key, generated on the first start and stored for the next.
    secret_key_file = VAR / "secret_key"
    if not secret_key_file.exists():
        secret_key_file.touch(mode=0o600)
        secret_key_file.write_text(secrets.token_urlsafe(64))
    SECRET_KEY = secret_key_file.read_text()

# --- Database ---------------------------------------------------------------------------------------------------------

DATABASE_URL = env.str("DATABASE_URL", "") or f"sqlite:///{VAR / 'partnercenter.sqlite3'}"
if TESTING:
    DATABASE_URL = env.str("TEST_DATABASE_URL", "") or env.str("DATABASE_URL", "") or "sqlite://:memory:"

# Connections are reused, since opening one takes several times longer than the queries of a page.
database = dj_database_url.parse(DATABASE_URL, conn_max_age=60, conn_health_checks=True)
if database["ENGINE"].endswith("sqlite3"):
    # IMMEDIATE takes the write lock when a transaction begins, so a second writer waits instead of failing later.
    database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 10,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
DATABASES = {"default": database}

# --- Mail: saved to a folder unless EMAIL_URL is set ------------------------------------------------------------------

EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = str(VAR / "mail")
if env.str("EMAIL_URL", ""):
    MAIL = env.dj_email_url("EMAIL_URL")
    if "EMAIL_BACKEND" not in MAIL:
        raise ImproperlyConfigured("EMAIL_URL has no known scheme. Write smtp://, smtps:// or file:///.")
    globals().update(MAIL)
EMAIL_TIMEOUT = 10
# Who runs the platform: they hear of refused reports and of errors.
admin_addresses: list[str] = env.list("ADMINS", [])
ADMINS = [("", address) for address in admin_addresses]
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("DEFAULT_FROM_EMAIL", "partner-center@localhost")

# --- Background jobs: within the request, or by `manage.py worker` ----------------------------------------------------

TASKS_BACKEND = env.str("TASKS_BACKEND", "immediate")
if TASKS_BACKEND not in TASK_BACKENDS:
    raise ImproperlyConfigured("TASKS_BACKEND must be immediate or database.")
TASKS = {"default": {"BACKEND": TASK_BACKENDS[TASKS_BACKEND]}}
# Uploaded files that a worker will read. A worker on another machine needs access to the same folder.
MEDIA_ROOT = VAR / "uploads"

# --- The application --------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "partnercenter",
    "customers",
    "budgets",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.forms",
    "django_htmx",
    "template_partials",
    "csp",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_email",
    "django_otp.plugins.otp_totp",
    "django_tasks",
    "django_tasks_db",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "partnercenter.middleware.ConsoleSessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "partnercenter.middleware.ConsoleMiddleware",
    "budgets.middleware.CurrentMonthMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "partnercenter.urls"
WSGI_APPLICATION = "partnercenter.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "partnercenter.views.home.console",
            ],
        },
    },
    # Only for what `{% include_jinja %}` includes, see templatetags/console.py.
    {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {"environment": "partnercenter.templatetags.console.environment", "trim_blocks": True},
    },
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

STATIC_URL = "static/"
STATIC_ROOT = VAR / "static"
STATIC_ROOT.mkdir(exist_ok=True)
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = DEBUG or TESTING
WHITENOISE_AUTOREFRESH = DEBUG
if not DEBUG and not TESTING:
    STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }

LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# SQLite does not support INCLUDE in an index, and creates the index without it.
SILENCED_SYSTEM_CHECKS = ["models.W040"]

DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
# More fields than customers that may be selected one by one, so that too many get a message instead of an error 400.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000

# --- Signing in -------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "partnercenter.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "partnercenter.permissions.GrantBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
if TESTING:
    # The tests sign in often and do not depend on how passwords are hashed.
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign_in"
PASSWORD_RESET_TIMEOUT = 3600 * 24

# Guessing passwords: five attempts per pair of account and IP address, so that nobody can lock out somebody else from
# elsewhere, and a limit per IP address that is high enough for an office that shares one.
AXES_HANDLER = "partnercenter.auth.PairAndAddressHandler"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 5
AXES_FAILURE_LIMIT_PER_ADDRESS = 100
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_CALLABLE = "partnercenter.auth.locked_out"
AXES_CLIENT_IP_CALLABLE = "partnercenter.auth.client_address"
AXES_ENABLE_ACCESS_FAILURE_LOG = False
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False

# Verification codes (rule 6.4 (docs/rules.md))
OTP_EMAIL_TOKEN_VALIDITY = 600
OTP_EMAIL_COOLDOWN_DURATION = 60
OTP_EMAIL_THROTTLE_FACTOR = 1
OTP_EMAIL_SENDER = DEFAULT_FROM_EMAIL
OTP_EMAIL_SUBJECT = "Partner Center verification code"
OTP_EMAIL_BODY_TEMPLATE_PATH = "partnercenter/verification_email.txt"
# Otherwise staff could read codes in Django admin and confirm operations with them.
OTP_ADMIN_HIDE_SENSITIVE_DATA = True
CODES_PER_HOUR = 15
CODES_PER_DAY = 60

# --- Security ---------------------------------------------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "font-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_ENGINE = "partnercenter.auth"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 12 * 3600
CSRF_FAILURE_VIEW = "partnercenter.views.home.csrf_failure"
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if SECURE_SSL else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE_SSL
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {"axes": {"level": "WARNING"}},
}
