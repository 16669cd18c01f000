"""Passwords are tried by many threads at once: archivers sign in while people reset, and each gets an answer."""

import subprocess
import sys

from tests.breaking.kit import LONG
from tests.breaking.workers import ROOT

PASSWORDS = 20_000 if LONG else 200

# In a process of its own, because threads that are stuck in the cryptographic library can't be stopped otherwise.
PROGRAM = """
import sys
from concurrent.futures import ThreadPoolExecutor
from mailboxes.vault import Cost, decoy_password_lock, new_password, open_password_lock, WrongPassword

OF_AN_EARLIER_RELEASE = Cost(memory_kib=64 * 1024, passes=3, lanes=4)

def guess(number):
    lock, context = decoy_password_lock(cost=Cost() if number % 50 else OF_AN_EARLIER_RELEASE)
    try:
        open_password_lock(lock, new_password(), context=context)
    except WrongPassword:
        return True

with ThreadPoolExecutor(8) as hands:
    assert all(hands.map(guess, range(int(sys.argv[1]))))
"""


def test_passwords_tried_at_the_same_moment_all_get_their_answer():
    subprocess.run(
        [sys.executable, "-c", PROGRAM, str(PASSWORDS)], cwd=ROOT, check=True, timeout=1800 if LONG else 60
    )
