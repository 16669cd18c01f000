"""People. Who may do what where stands in `tenants`."""

from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.hashers import check_password
from django.contrib.auth.models import PermissionsMixin
from django.db import models, transaction
from django.dispatch import Signal
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.addresses import AddressField, canonical
from accounts.demo import in_demo
from accounts.names import addresses_in, unless_kept, validate_name

# Sent with `person` in the transaction that makes somebody past the services, as Django's `createsuperuser` does: the
# audit trail, which this room does not know, takes it down.
person_made = Signal()
# Likewise with `person`, what became of a `factor` of which kind (`act`, accounts.second_factor), and `by` whom.
factor_changed = Signal()


class UserManager(BaseUserManager["User"]):
    """Makes people with a normalised email address."""

    def begun(self, email: str, **fields: Any) -> "User":
        """Somebody new, who is not saved yet."""
        return self.model(email=email, **{"time_zone": settings.NEW_PEOPLES_TIME_ZONE} | fields)

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Raises ValueError without an address. Without a password nobody can sign in."""
        if not email:
            raise ValueError("A person needs an email address.")
        user = self.begun(canonical(email), **fields)
        user.set_password(password)
        with transaction.atomic(using=self._db):
            user.save(using=self._db)
            person_made.send(User, person=user)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, **{"is_staff": True, "is_superuser": True, **fields})

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=username or "")

    def who_can_sign_in(self) -> "models.QuerySet[User]":
        """All for whom User.can_sign_in() says yes."""
        active = self.filter(is_active=True)
        return active if in_demo() else active.filter(is_demo=False)


class User(AbstractBaseUser, PermissionsMixin):
    """A person, known by email address."""

    class Theme(models.TextChoices):
        SYSTEM = "system", _("As the device")
        LIGHT = "light", _("Light")
        DARK = "dark", _("Dark")

    email = AddressField(_("email address"), unique=True)
    name = models.CharField(_("name"), max_length=100, blank=True)
    language = models.CharField(_("language"), max_length=10, blank=True)  # empty: as the browser prefers
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True)  # of the tz database; empty: UTC
    theme = models.CharField(_("appearance"), max_length=6, choices=Theme.choices, default=Theme.SYSTEM)
    is_staff = models.BooleanField(_("platform staff"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    date_joined = models.DateTimeField(_("joined"), default=timezone.now)
    # Links for a forgotten password carry it, and so does a sign-in until it is complete: with the next number, which
    # comes whenever all (other) sessions end, all that are under way are void.
    link_series = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    # Made by the demo, whose password is public; never taken away. See can_sign_in() below.
    is_demo = models.BooleanField(default=False, db_default=False, editable=False)

    objects = UserManager()

    EMAIL_FIELD = "email"
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = []

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")

    def __str__(self) -> str:
        return self.email

    def clean(self) -> None:
        self.email = canonical(self.email)
        kept = User.objects.filter(pk=self.pk).values_list("name", flat=True).first()
        unless_kept(self.name, kept, validate_name)

    def can_sign_in(self) -> bool:
        """By any means, and go on being signed in. Outside the demo its people are as if they were switched off."""
        return self.is_active and not self.is_shut_out_with_the_demo()

    def is_shut_out_with_the_demo(self) -> bool:
        """One of the demo's people, outside the demo."""
        return self.is_demo and not in_demo()

    def check_password(self, raw_password: str | None) -> bool:
        """Django's, but what is hashed anew on the way replaces the hash that was asked and no other, or an old password
        would come back over one that is chosen meanwhile.
        """
        asked, is_current = self.password, True

        def hash_anew(raw: str) -> None:
            nonlocal is_current
            self.set_password(raw)
            self._password = None  # it is no new one: nothing is to be said of it
            is_current = bool(User.objects.filter(pk=self.pk, password=asked).update(password=self.password))

        return check_password(raw_password, asked, hash_anew) and is_current

    async def acheck_password(self, raw_password: str | None) -> bool:
        """Ours: Django's does not go by the one above."""
        return await sync_to_async(self.check_password)(raw_password)

    def get_display_name(self) -> str:
        return self.name or self.email

    def get_mail_name(self) -> str:
        """The name as our mails say it; an earlier release took some that hold an address."""
        return "" if addresses_in(self.name) else self.name


class PendingMail(models.Model):
    """A mail that is still to be sent; gone as soon as it is (accounts.mails.outbox)."""

    kind = models.CharField(max_length=60)
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="+")
    # As typed by whoever forgot a password, or one that was the person's. Empty: the person's.
    email = models.CharField(max_length=254, blank=True)
    at = models.DateTimeField(default=timezone.now)
    ip = models.CharField(max_length=45, blank=True)
    user_agent = models.TextField(blank=True)
    details = models.JSONField(default=dict)
    # Of the page that caused it, for who has chosen none.
    language = models.CharField(max_length=10, blank=True, db_default="")
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now, db_index=True)  # the workers' look for the next one

    def __str__(self) -> str:
        return f"{self.kind}: {self.pk}"
