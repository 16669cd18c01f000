"""Passwords are tried by many threads at once: archivers sign in while people reset, and each gets an answer."""

import subprocess
import sys

from tests.breaking.workers import ROOT

# In a process of its own, because threads that are stuck in the cryptographic library can't be stopped otherwise.
PROGRAM = """
from concurrent.futures import ThreadPoolExecutor
from mailboxes.vault import decoy_password_lock, new_password, open_password_lock, WrongPassword

def guess(_):
    lock, context = decoy_password_lock()
    try:
        open_password_lock(lock, new_password(), context=context)
    except WrongPassword:
        return True

with ThreadPoolExecutor(4) as hands:
    assert all(hands.map(guess, range(12)))
"""


def test_passwords_tried_at_the_same_moment_all_get_their_answer():
    subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, check=True, timeout=60)
