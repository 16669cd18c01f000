"""Refused: portal/management/refusing.py"""

from django_tenants.management.commands.delete_domain import Command as Theirs

from portal.management.refusing import Refused


class Command(Refused, Theirs):
    pass
