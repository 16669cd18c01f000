"""The mail that the benchmarks send: 75 KiB, what a journal report with a short message in it weighs."""

import base64
import os

OCTETS = 75 * 1024


def message(number: int) -> bytes:
    """A message of exactly OCTETS octets, different each time; no line begins with a dot."""
    head = f"From: <journal@acme.example>\r\nSubject: {number}\r\n\r\n".encode()
    body = base64.encodebytes(os.urandom(OCTETS)).replace(b"\n", b"\r\n")
    return head + body[: OCTETS - len(head) - 2].rstrip(b"\r\n").ljust(OCTETS - len(head) - 2, b"=") + b"\r\n"
