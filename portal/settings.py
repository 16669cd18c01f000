"""Settings, read from the environment once. Everything else asks `django.conf.settings`; docs/settings.md lists the variables."""

import os
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import unquote
from zoneinfo import available_timezones

from csp.constants import NONE, SELF

from portal.environment import (
    IN_PASSWORDS,
    LIBPQS_MODE,
    SSL_MODES,
    Environment,
    WrongOptions,
    database_of,
    generated_secrets,
    is_redis,
    parts_of,
    parts_with_password,
)
from portal.languages import languages_in
from portal.onebox.embedded.addresses import postgres_dir, postgres_url, redis_url

ROOT = Path(__file__).resolve().parent.parent
env = Environment(os.environ)

# --- This installation ---------------------------------------------------------------------------------------------
STATE_DIR = env.path("GATEHOUSE_STATE_DIR", ROOT / ".gatehouse")
DEMO = env.flag("GATEHOUSE_DEMO")
DEBUG = env.flag("DEBUG")
# That nobody's mail is here, and customers may be made by the thousand (tenants/measuring.py).
MEASURING = env.flag("GATEHOUSE_MEASURING")
BASE_DOMAIN = env.text("GATEHOUSE_BASE_DOMAIN", "portal.localhost")
MAIL_DOMAIN = env.text("GATEHOUSE_MAIL_DOMAIN", "gateway.localhost")
MTA_STS = env.choice("GATEHOUSE_MTA_STS", ("none", "testing", "enforce"))
BIND = env.text("GATEHOUSE_BIND", "127.0.0.1")
# The web server speaks plain HTTP to a proxy, so what opens the gateway to all does not open it.
_http_bind = env.text("GATEHOUSE_HTTP_BIND", "127.0.0.1")
HTTP_BIND = BIND if DEMO else _http_bind
HTTP_PORT = env.number("GATEHOUSE_HTTP_PORT", 8000)
SMTP_PORT = env.number("GATEHOUSE_SMTP_PORT", 2525)
SMTPS_PORT = env.number("GATEHOUSE_SMTPS_PORT", 2465)
POP3_PORT = env.number("GATEHOUSE_POP3_PORT", 2110)
POP3S_PORT = env.number("GATEHOUSE_POP3S_PORT", 2995)
# As senders and archivers reach the gateway, which listens on others behind what leads there: Compose, a balancer. Alike in
# all processes, for pages name them, and what the gateway listens on only the gateway knows.
_as_reached = (SMTP_PORT, SMTPS_PORT, POP3_PORT, POP3S_PORT) if DEMO or MEASURING else (25, 465, 110, 995)
PUBLIC_SMTP_PORT = env.number("GATEHOUSE_PUBLIC_SMTP_PORT", _as_reached[0])
PUBLIC_SMTPS_PORT = env.number("GATEHOUSE_PUBLIC_SMTPS_PORT", _as_reached[1])
PUBLIC_POP3_PORT = env.number("GATEHOUSE_PUBLIC_POP3_PORT", _as_reached[2])
PUBLIC_POP3S_PORT = env.number("GATEHOUSE_PUBLIC_POP3S_PORT", _as_reached[3])
POP3_PER_NETWORK = env.number("GATEHOUSE_POP3_PER_NETWORK", 500, least=1)
# Exchange Online sends up to 150 MB.
MAX_MESSAGE_OCTETS = env.number("GATEHOUSE_MAX_MESSAGE_OCTETS", 150 * 1024 * 1024, least=1)
# For so long a mailbox's page tells of each delivery and collection.
DELIVERY_LOG_DAYS = env.number("GATEHOUSE_DELIVERY_LOG_DAYS", 14, least=1, most=3650)
# How many of each kind of process one command runs.
WEB_PROCESSES = env.number("GATEHOUSE_WEB_PROCESSES", 2, least=1)
WEB_THREADS = env.number("GATEHOUSE_WEB_THREADS", 8, least=1)
WORKER_PROCESSES = env.number("GATEHOUSE_WORKER_PROCESSES", 2, least=1)
GATEWAY_PROCESSES = env.number("GATEHOUSE_GATEWAY_PROCESSES", 1, least=1)
UPGRADE_PROCESSES = env.number("GATEHOUSE_UPGRADE_PROCESSES", 2, least=1)

_generated = generated_secrets(STATE_DIR / "secrets.json")
SECRET_KEY = env.secret("SECRET_KEY", _generated.get("SECRET_KEY", ""))
# Earlier ones, separated by spaces: what they have signed, deletion certificates above all, stays valid.
SECRET_KEY_FALLBACKS = env.secret("SECRET_KEY_FALLBACKS").split()
WORKER_PUBLIC_KEY = env.text("GATEHOUSE_WORKER_PUBLIC_KEY")
WORKER_KEY = env.secret("GATEHOUSE_WORKER_KEY", _generated.get("GATEHOUSE_WORKER_KEY", ""))

_demo_certificate = STATE_DIR / "tls" / "cert.pem"
TLS_CERT_FILE = env.text("GATEHOUSE_TLS_CERT_FILE") or None
TLS_KEY_FILE = env.text("GATEHOUSE_TLS_KEY_FILE") or None
try:
    if not TLS_CERT_FILE and not TLS_KEY_FILE and _demo_certificate.exists():
        TLS_CERT_FILE, TLS_KEY_FILE = str(_demo_certificate), str(STATE_DIR / "tls" / "key.pem")
except PermissionError:
    # Not a traceback: `setup` in a container is another user than the portal's, whose folder it is, and asks no check.
    env.complain(
        "GATEHOUSE_STATE_DIR", "this process may not look into it.", "Let it belong to the process's user."
    )

STORE_URL = env.text("GATEHOUSE_STORE_URL", (STATE_DIR / "store").as_uri())
# Of a store that is a folder.
STORE_ROOT = Path(unquote(parts_of(STORE_URL).path)) if STORE_URL.startswith("file:") else STATE_DIR / "store"
STORE_OTHER_URL = env.text("GATEHOUSE_STORE_OTHER_URL")  # while the installation moves from one to the other
# For s3://bucket/prefix. Without an endpoint it is Amazon's, of the region.
S3_ENDPOINT = env.text("GATEHOUSE_S3_ENDPOINT").rstrip("/")
_s3 = parts_of(S3_ENDPOINT)
if S3_ENDPOINT and not (_s3.scheme in ("http", "https") and _s3.hostname and "@" not in S3_ENDPOINT):
    env.complain(
        "GATEHOUSE_S3_ENDPOINT", "it is no URL of a server.", "Use https://host or https://host:port."
    )
    S3_ENDPOINT = ""
S3_REGION = env.text("GATEHOUSE_S3_REGION", "us-east-1")
S3_ACCESS_KEY_ID = env.secret("GATEHOUSE_S3_ACCESS_KEY_ID")
S3_SECRET_ACCESS_KEY = env.secret("GATEHOUSE_S3_SECRET_ACCESS_KEY")
S3_CA_FILE = env.text("GATEHOUSE_S3_CA_FILE")
# Of one request, with whatever of it is tried again. A sender waits for several of them, at most ten minutes in all.
S3_TIMEOUT = env.number("GATEHOUSE_S3_TIMEOUT", 15, least=1)

# What backups are sealed to; its private half is on paper, where none of our machines is.
RECOVERY_PUBLIC_KEY = env.text("GATEHOUSE_RECOVERY_PUBLIC_KEY")
# Of backups in a bucket; without them they are the store's.
BACKUP_S3_ENDPOINT = env.text("GATEHOUSE_BACKUP_S3_ENDPOINT", S3_ENDPOINT).rstrip("/")
BACKUP_S3_REGION = env.text("GATEHOUSE_BACKUP_S3_REGION", S3_REGION)
BACKUP_S3_ACCESS_KEY_ID = env.secret("GATEHOUSE_BACKUP_S3_ACCESS_KEY_ID", S3_ACCESS_KEY_ID)
BACKUP_S3_SECRET_ACCESS_KEY = env.secret("GATEHOUSE_BACKUP_S3_SECRET_ACCESS_KEY", S3_SECRET_ACCESS_KEY)
BACKUP_S3_CA_FILE = env.text("GATEHOUSE_BACKUP_S3_CA_FILE", S3_CA_FILE)

# --- Database, Redis, tasks ----------------------------------------------------------------------------------------
DATABASE_URL = env.secret("DATABASE_URL", postgres_url(STATE_DIR))
_ssl_modes = f"{', '.join(SSL_MODES[:-1])} or {SSL_MODES[-1]}"
try:
    _database = database_of(DATABASE_URL, engine="tenants.database")
except WrongOptions as _error:
    env.complain(
        "DATABASE_URL",
        f"{_error}.",
        f"Each stands there once, with a value, such as sslmode=verify-full&sslrootcert=/path; sslmode is {_ssl_modes}.",
    )
    DATABASE_URL = postgres_url(STATE_DIR)
    _database = database_of(DATABASE_URL, engine="tenants.database")
except ValueError:
    env.complain(
        "DATABASE_URL",
        "it is no URL of a PostgreSQL.",
        f"Use postgresql://user:password@host:5432/database. {IN_PASSWORDS}",
    )
    DATABASE_URL = postgres_url(STATE_DIR)
    _database = database_of(DATABASE_URL, engine="tenants.database")
DATABASE_IS_EMBEDDED = _database.get("HOST") == str(postgres_dir(STATE_DIR))  # that of `make run`
# What the URL says nothing of, libpq reads from the environment by itself, to the letter: an empty one is none to it either.
_ssl_mode = env.verbatim("PGSSLMODE", LIBPQS_MODE)
if _ssl_mode not in SSL_MODES:
    env.complain(
        "PGSSLMODE", "there is no such mode.", f"Use {_ssl_modes}, or take it out; don't leave it empty."
    )
if env.text("PGSERVICE"):
    env.complain(
        "PGSERVICE",
        "what stands in a service file goes before PGSSLMODE, and no check sees it.",
        "Take it out, and have DATABASE_URL say all of it.",
    )
_options = _database.get("OPTIONS", {})
# Of whom it asks, by what goes before what: addresses, then names, each in the URL and then in the environment.
DATABASE_HOSTS = str(
    _options.get("hostaddr")
    or env.text("PGHOSTADDR")
    or _database.get("HOST")
    or _options.get("host")
    or env.text("PGHOST")
).split(",")
DATABASE_SSL_MODE = str(_options.get("sslmode", _ssl_mode))
# Of the authorities that vouch for the server.
DATABASE_CA_FILE = str(_options.get("sslrootcert", env.text("PGSSLROOTCERT")))
DATABASES = {
    "default": {
        **_database,
        "CONN_MAX_AGE": 60,
        # A pooler may give the next transaction another session, where the cursor of the one before is not.
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "CONN_HEALTH_CHECKS": True,  # so that a restarted PostgreSQL costs nobody an error page
        "OPTIONS": {
            # A server whose machine is gone answers nothing, not even that: in half a minute it is known.
            "keepalives_idle": 15,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
            **_options,
            "connect_timeout": 5,
            "application_name": "gatehouse",
            # Nobody waits for ever: neither a browser nor a mail server that holds a message.
            "options": "-c statement_timeout=60000 -c lock_timeout=10000 -c idle_in_transaction_session_timeout=120000",
        },
    }
}
# A session of PostgreSQL that has looked at more customers than this is given up (tenants/database/base.py).
SCHEMAS_PER_CONNECTION = env.number("GATEHOUSE_SCHEMAS_PER_CONNECTION", 100, least=1)
# One SET search_path for each change of schema, not for each statement. django-tenants sends another after whatever
# takes the last one back: a rollback, to a savepoint too, and a new connection.
TENANT_LIMIT_SET_CALLS = True
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# docker/compose.yaml says so: there names of services lead to what is on this machine.
IN_COMPOSE = env.flag("GATEHOUSE_IN_COMPOSE")

REDIS_URL = env.secret("REDIS_URL", redis_url(STATE_DIR))
if not is_redis(REDIS_URL):
    env.complain(
        "REDIS_URL",
        "it is no URL of a Redis.",
        "Use redis://:password@host:6379/0, rediss://… or unix:///path/to/socket; the password stands before the host, not "
        f"behind a ?, and what stands there stands there once. {IN_PASSWORDS}",
    )
    REDIS_URL = redis_url(STATE_DIR)
# One that says nothing is away, and somebody waits for the answer to what they did. Bells and counts are small.
_redis_patience = {"socket_connect_timeout": 3, "socket_timeout": 3}
CACHES = {
    "default": {
        "BACKEND": "portal.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"serializer": "portal.cache.JSONSerializer", **_redis_patience},
    },
    # In the memory of each process: what must be true, such as an identity provider's keys and addresses, for whoever
    # can write to Redis could give others.
    "process": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "process"},
}

# Kombu has its own words for the same socket and database.
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=")
CELERY_TASK_IGNORE_RESULT = True  # what became of a job stands in PostgreSQL
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "celery"
# Whoever can write to Redis could stop workers by it, and give them other limits.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_CONSUMER = "portal.broker:Consumer"
CELERY_TASK_ACKS_LATE = CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 90  # must stay below the visibility time-out, or a slow task is delivered twice
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 120,
    "unacked_restore_interval": 2,
    "unacked_restore_throttle": 1,
    "unacked_mutex_expire": 10,
    **_redis_patience,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# When beat rang for what: or after each start it would wait a day for what is due daily.
CELERY_BEAT_SCHEDULE_FILENAME = str(STATE_DIR / "beat" / "schedule")
CELERY_BEAT_SCHEDULE = {
    "refill spare schemas": {"task": "tenants.tasks.refill_spares", "schedule": 300.0},
    # Each act that writes mails rings; this is for those whose bell was lost, or that a mail server did not take.
    "send mails": {"task": "accounts.tasks.send_mails", "schedule": 30.0, "options": {"expires": 30.0}},
    "look for proofs of domains": {"task": "tenants.tasks.recheck_domains", "schedule": 86400.0},
    "clear old figures": {"task": "tenants.tasks.clear_old_figures", "schedule": 86400.0},
    "fold mailbox counters": {"task": "mailboxes.tasks.fold_all_tallies", "schedule": 120.0},
    # One that workers could not take in time is replaced by the next.
    "ring stalled jobs": {
        "task": "mailboxes.tasks.ring_stalled_jobs",
        "schedule": 5.0,
        "options": {"expires": 5.0},
    },
    "clear expired sessions": {"task": "accounts.tasks.clear_expired_sessions", "schedule": 3600.0},
    "tidy message stores": {"task": "mailboxes.tasks.tidy_all_stores", "schedule": 86400.0},
}
# A job is worked on in slices, so that a long one lets others in between.
JOB_SLICE_SECONDS = 2.0
JOB_SLICES_AT_ONCE = 4  # of one job, however many workers there are
JOB_SILENCE_SECONDS = 15.0  # after a job's last sign of life beat rings for it again

# --- Rooms ---------------------------------------------------------------------------------------------------------
SHARED_APPS = [
    "portal.console",  # its templates and styles before those of the libraries that they stand in for
    "portal",
    # django.contrib.admin, before django_tenants, whose own templates of it have styles in their elements.
    "portal.console.administration.apps.AdministrationConfig",
    "django_tenants",
    "accounts",
    "tenants",
    "gateway",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "rosetta",
    "csp",
    "django_htmx",
    "template_partials",
]
TENANT_APPS = ["mailboxes"]
INSTALLED_APPS = [*SHARED_APPS, *TENANT_APPS]
TENANT_MODEL = "tenants.Customer"
TENANT_DOMAIN_MODEL = "tenants.Domain"
PUBLIC_SCHEMA_URLCONF = "portal.urls.base"
ROOT_URLCONF = "portal.urls.customer"

MIDDLEWARE = [
    # Each answer gets their headers, those of the gates that come next too.
    "portal.gates.headers.GuardedAnswers",
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "portal.gates.bodies.ModestBodies",  # before anything reads a body
    "portal.gates.client_address.ClientAddress",  # nor an address
    "portal.gates.health.HealthMiddleware",
    "portal.gates.certificates.CertificateNames",
    "portal.gates.mta_sts.TransportPolicy",
    "portal.gates.hosts.CanonicalHost",
    "django.middleware.security.SecurityMiddleware",  # leads to HTTPS, on hosts of ours and nobody's probes
    "whitenoise.middleware.WhiteNoiseMiddleware",  # a page names ten files, and none of them needs the database
    "portal.gates.mark.Mark",
    "portal.gates.isolation.ResourceIsolation",
    "portal.gates.hosts.HostTenant",
    "portal.gates.branding.ProvidersDress",
    # Guessing a page's secret by its compressed length (BREACH) finds none here that stays the same: tokens are masked
    # anew for each page, passwords are shown once; and Django varies the length. What is typed stands beside a list, but
    # whether there are rows shows in the length without compression, too: so no other site's page may have ours fetched
    # (ResourceIsolation). Behind the files, which lie compressed where that helps: of a part of a font it would make nonsense.
    "django.middleware.gzip.GZipMiddleware",
    "portal.gates.companion.CompanionSessions",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "portal.gates.sessions.NothingKept",
    "portal.gates.language.PersonLanguage",
    "portal.gates.limits.UncountedLimits",
    "django.contrib.messages.middleware.MessageMiddleware",
    "portal.gates.fairness.FairPlaces",
    "allauth.account.middleware.AccountMiddleware",
    "portal.gates.admission.StillAdmitted",
    "portal.gates.sessions.SessionStands",
    "portal.gates.sessions.SessionsSeen",
    "django_htmx.middleware.HtmxMiddleware",
    "portal.gates.swaps.WholePages",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "portal.gates.hosts.CustomerGate",
    "portal.gates.second_factor.SecondFactorGate",
    "portal.gates.refusals.Refusals",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "portal.console.frame.context.frame",
            ],
        },
    }
]
FORM_RENDERER = "portal.console.frame.fields.Renderer"

# --- Sign-in -------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backends.AuthenticationBackend"]
PASSWORD_CHARACTERS = 12  # at least, of a person's password
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": PASSWORD_CHARACTERS},
    },
    {"NAME": "accounts.adapters.backends.CommonPasswords"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "accounts.adapters.account.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"  # people are made by those who know them; nobody signs up
ACCOUNT_LOGOUT_REDIRECT_URL = "/accounts/login/"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_RATE_LIMITS = {
    "login": "",  # ours, which does not turn away who has a place of their own: "sign_in"
    # The keys are places and addresses, see accounts.adapters.guesses, where the last three are counted.
    "login_failed": "5/5m/key",
    "login_failed_anywhere": "200/h/key",
    "login_failed_ip": "10/m/ip",
    "sign_in": "30/m/ip",
    "reset_password": "20/m/ip,5/h/key",
}
PASSWORD_RESET_TIMEOUT = 3600
# allauth's own writes down each address of a person, and from then on they all sign in.
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "accounts.adapters.reset_tokens.ResetTokens"  # noqa: S105 - a class
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # nobody gets mail from us because a stranger typed their address
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False  # other sessions end, the one at hand stays
MFA_ADAPTER = "accounts.adapters.mfa.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "Gatehouse"
MFA_TOTP_TOLERANCE = 1  # half minutes: codes are typed at their end, and clocks go wrong (RFC 6238, 5.2)
MFA_ALLOW_UNVERIFIED_EMAIL = True  # addresses are vouched for by who invites
USERSESSIONS_TRACK_ACTIVITY = True
SOCIALACCOUNT_ADAPTER = "accounts.openid.sign_in.SocialAccountAdapter"
SOCIALACCOUNT_ONLY = False
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False  # tenants decides whose addresses an identity provider speaks for
SOCIALACCOUNT_STORE_TOKENS = False
SOCIAL_GATE = "tenants.identity.gate.Gate"
# Whose letterhead a person's mails have: accounts.mails can't know who belongs to whom.
MAIL_LETTERHEAD = "tenants.mails.letterhead.letterhead_of"
# The modules that write the mails of accounts.mails.outbox, each its own kinds.
MAIL_WRITERS = ["accounts.mails.notices", "accounts.services.forgotten", "tenants.mails.notices"]
# Identity providers are asked on the public network only, but for these.
IDENTITY_PROVIDER_NETWORKS = env.text("GATEHOUSE_IDP_NETWORKS").replace(",", " ").split()
IDENTITY_PROVIDER_CA_FILE = env.text("GATEHOUSE_IDP_CA_FILE")
try:
    for _network in IDENTITY_PROVIDER_NETWORKS:
        ip_network(_network)
except ValueError as _error:
    env.complain(
        "GATEHOUSE_IDP_NETWORKS", f"{_error}.", "Use networks such as 10.1.0.0/16, separated by commas."
    )
    IDENTITY_PROVIDER_NETWORKS = []

# Where the records are looked up that prove domains, and by `manage.py doctor` all others; empty: as the system does.
DNS_SERVER = env.text("GATEHOUSE_DNS_SERVER")
try:
    if DNS_SERVER:
        _host, _, _port = DNS_SERVER.rpartition(":")
        ip_address(_host.strip("[]"))
        if not 0 < int(_port) < 65536:
            raise ValueError(f"There is no port {_port}")
except ValueError as _error:
    env.complain("GATEHOUSE_DNS_SERVER", f"{_error}.", "Use an IP address and a port, such as 192.0.2.53:53.")
    DNS_SERVER = ""

# --- Email --------------------------------------------------------------------------------------------------------
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text("GATEHOUSE_MAIL_FROM", f"Gatehouse <no-reply@{BASE_DOMAIN}>")
# Who hears of a unit that failed: `manage.py tell_failure`.
ALARMS_TO = env.text("GATEHOUSE_ALARMS_TO").replace(",", " ").split()
if not all(0 < _address.find("@") < len(_address) - 1 for _address in ALARMS_TO):
    env.complain(
        "GATEHOUSE_ALARMS_TO",
        "not all of it are email addresses.",
        "Use addresses such as night@example.com, separated by commas.",
    )
    ALARMS_TO = []
_smtp_url = env.secret("GATEHOUSE_SMTP_URL")
_smtp = parts_with_password(_smtp_url)
EMAIL_FILE_PATH = STATE_DIR / "mail"
EMAIL_TIMEOUT = 10
if not _smtp_url:  # each mail becomes a file there
    EMAIL_BACKEND = "portal.onebox.mail_files.EmailBackend"
elif _smtp.scheme in ("smtp", "smtps") and _smtp.hostname and _smtp.path in ("", "/"):
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST, EMAIL_PORT = _smtp.hostname, _smtp.port or (465 if _smtp.scheme == "smtps" else 587)
    EMAIL_USE_SSL, EMAIL_USE_TLS = _smtp.scheme == "smtps", _smtp.scheme == "smtp" and _smtp.query != "tls=no"
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = unquote(_smtp.username or ""), unquote(_smtp.password or "")
else:
    env.complain(
        "GATEHOUSE_SMTP_URL",
        "it names no mail server.",
        f"Use smtp://user:password@host:587 (STARTTLS) or smtps://user:password@host:465. {IN_PASSWORDS}",
    )

# --- Hosts, cookies, headers ---------------------------------------------------------------------------------------
ALLOWED_HOSTS = ["." + BASE_DOMAIN, f"mta-sts.{MAIL_DOMAIN}", "localhost", "127.0.0.1", "[::1]"]
SECURE_COOKIES = not (DEMO or DEBUG or BASE_DOMAIN.endswith(".localhost"))
SESSION_ENGINE = "accounts.adapters.session_store"
SESSION_COOKIE_DOMAIN = BASE_DOMAIN  # one sign-in for all hosts
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_COOKIES
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
BEHIND_PROXY = env.flag("GATEHOUSE_BEHIND_PROXY")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if BEHIND_PROXY else 0
SECURE_HSTS_SECONDS = 31_536_000 if SECURE_COOKIES else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_COOKIES
# With it browsers may put the domain on a list that they come with and from which it takes months to get off.
SECURE_HSTS_PRELOAD = env.flag("GATEHOUSE_HSTS_PRELOAD") and SECURE_COOKIES
SECURE_SSL_REDIRECT = SECURE_COOKIES
# Not "no-referrer": with that, browsers send "Origin: null" with our own forms, which the protection against forged ones
# must refuse.
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024  # of the whole request; a larger one is refused by its header
FILE_UPLOAD_HANDLERS = ["portal.gates.bodies.NoFiles"]
UPLOADS_AT = ("/branding/logo/",)  # the paths that take one, in memory
CSRF_FAILURE_VIEW = "portal.console.signin.by_password.outdated_form"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        # Signing in on one host may lead to another, and browsers hold redirects to this list too.
        "form-action": [SELF, f"{BASE_DOMAIN}:*", f"*.{BASE_DOMAIN}:*"],
    }
}

# --- Languages, time -----------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LOCALE_PATHS = [ROOT / "locale"]
LANGUAGES = languages_in(ROOT / "locale")
LANGUAGE_COOKIE_DOMAIN = BASE_DOMAIN
FORMAT_MODULE_PATH = "portal.languages.formats"
USE_THOUSAND_SEPARATOR = True
ROSETTA_ACCESS_CONTROL_FUNCTION = "portal.languages.translators.may_translate"
ROSETTA_SHOW_AT_ADMIN_PANEL = False  # each page of the administration leads there
ROSETTA_MESSAGES_PER_PAGE = 25
ROSETTA_POFILE_WRAP_WIDTH = 0  # as `makemessages --no-wrap` does, so that only the texts differ
ROSETTA_AUTO_COMPILE = False  # it compiles whatever was typed; portal.languages.catalogs looks at it first
ROSETTA_CACHE_NAME = "process"  # paths of catalogs, which it then writes
ROSETTA_CASE_SENSITIVE_FILESYSTEM = True  # or it tries with a temporary file, which it leaves open
USE_TZ = True
TIME_ZONE = "UTC"
# Of people from their first day on, until they choose another; empty: UTC.
NEW_PEOPLES_TIME_ZONE = env.text("GATEHOUSE_TIME_ZONE")
if NEW_PEOPLES_TIME_ZONE == "UTC":
    NEW_PEOPLES_TIME_ZONE = ""
if NEW_PEOPLES_TIME_ZONE and NEW_PEOPLES_TIME_ZONE not in available_timezones():
    env.complain(
        "GATEHOUSE_TIME_ZONE",
        f"there is no time zone {NEW_PEOPLES_TIME_ZONE!r}.",
        "Use one as Europe/Zurich or America/New_York, or UTC.",
    )
    NEW_PEOPLES_TIME_ZONE = ""

# --- Static files --------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = env.path("GATEHOUSE_STATIC_DIR", STATE_DIR / "static")
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "portal.console.frame.stylesheet.StylesheetFinder",
]
FILE_UPLOAD_PERMISSIONS, FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o600, 0o700  # of collected files as well
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},  # no upload is kept as a file
    "staticfiles": {"BACKEND": "portal.collected.CollectedFiles"},
}

# --- Logs ----------------------------------------------------------------------------------------------------------
LOG_FORMAT = env.choice("GATEHOUSE_LOG_FORMAT", ("text", "json"))
# `mail.log` is aiosmtpd's: at DEBUG it prints mail.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"tenant": {"()": "tenants.logs.TenantFilter"}},
    "formatters": {
        "line": {
            "()": "portal.logs.TextLine",
            "fmt": "%(asctime)s %(levelname)s %(name)s [%(schema)s] %(message)s",
        },
        "json": {"()": "portal.logs.JSONLine"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "json" if LOG_FORMAT == "json" else "line",
            "filters": ["tenant"],
        }
    },
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": ["console"], "level": "INFO", "propagate": False},
        "django.server": {"handlers": ["console"], "level": "INFO", "propagate": False},
        # Each slice of each job would be two lines; what jobs come to is told by mailboxes.services.jobs.
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},  # each bell that it rings
        "mail.log": {"handlers": ["console"], "level": "WARNING", "propagate": False},
    },
}

DEFAULT_EXCEPTION_REPORTER_FILTER = "portal.redaction.SettingsOnDebugPages"

SILENCED_SYSTEM_CHECKS = ["security.W021"]  # that HSTS has no preload: only who runs it can want that
ENVIRONMENT_PROBLEMS = env.problems
ENVIRONMENT_NAMES = frozenset(env.names)
