"""Refused: portal/management/refusing.py"""

from django.core.management.commands.flush import Command as Theirs

from portal.management.refusing import Refused


class Command(Refused, Theirs):
    pass
