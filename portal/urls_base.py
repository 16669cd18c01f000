"""The base host: sign-in, the operators' console, Django's admin for platform staff."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path

# One sign-in, with its limits, for staff too.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("tenants.urls")),
    path("admin/", admin.site.urls),
]
