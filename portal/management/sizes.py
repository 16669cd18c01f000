"""How many processes a command runs: that of the command line, else that of the setting."""

from argparse import ArgumentParser, ArgumentTypeError


def add_processes(parser: ArgumentParser, default: int) -> None:
    parser.add_argument(
        "--processes",
        type=_at_least_one,
        default=default,
        metavar="N",
        help="how many processes share the work (here %(default)s)",
    )


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is no number of processes")
    return int(text)
