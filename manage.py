#!/usr/bin/env python
"""Gatehouse from the command line: `manage.py help` lists what there is."""

import os
import sys

from portal.management.refusing import Commands, until_nobody_reads

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    with until_nobody_reads():
        Commands(sys.argv).execute()
