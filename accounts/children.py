"""Child processes that do not outlive what started them, even when that is killed. Only Linux has this; elsewhere it does nothing."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
# Loaded before any fork: between fork and exec only what is already there may be touched.
_prctl = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None


def die_with(parent: int, death_signal: signal.Signals) -> None:
    """Said by a child that was forked: the kernel sends it this signal when the thread that started it is gone."""
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != parent:  # it died between fork and here, so the signal will never come
            os._exit(1)
