"""The real settings, with what makes hundreds of tests quick and changes nothing that a user would notice."""

from portal.settings import *  # noqa: F403
from portal.settings import ACCOUNT_RATE_LIMITS, STORAGES

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    **STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = True  # as if collectstatic had run
# All tests come from one network address.
ACCOUNT_RATE_LIMITS = {**ACCOUNT_RATE_LIMITS, "sign_in": "1000/m/ip", "login_failed_ip": "1000/m/ip"}
