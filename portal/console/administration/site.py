"""The site at /admin/, which `admin.site` stands for: Django's, with our ways in and out."""

from typing import Any

from allauth.account.decorators import secure_admin_login
from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _


class Administration(AdminSite):
    site_header = site_title = index_title = _("Gatehouse administration")

    def get_urls(self) -> list[Any]:
        """Without the one that leads to a row's other page: none has one, and what it answers tells which rows there are."""
        return [url for url in super().get_urls() if getattr(url, "name", None) != "view_on_site"]

    # One sign-in, with its limits, for staff too.
    login = method_decorator(secure_admin_login)(AdminSite.login)

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """One page for the own password: Django's would count no guesses and tell nobody."""
        return redirect("own_password")

    def logout(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Whoever comes back to it after a new sign-in asks for a page."""
        if request.method != "POST":
            return redirect("account_logout")
        return super().logout(request, extra_context)
