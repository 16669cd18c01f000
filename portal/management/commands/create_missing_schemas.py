"""Refused: portal/management/refusing.py"""

from django_tenants.management.commands.create_missing_schemas import Command as Theirs

from portal.management.refusing import Refused


class Command(Refused, Theirs):
    pass
