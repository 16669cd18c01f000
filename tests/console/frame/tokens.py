"""What the tokens of our stylesheet are."""

import re

from portal.console.frame.stylesheet import FOLDER


def token(name):
    """Its values in light and in dark."""
    said = re.findall(r"--([\w-]+): ([^;]+);", (FOLDER / "tokens.css").read_text())
    tokens = dict(reversed(said))  # the first of a name; who wants more contrast has others
    value = tokens[name]
    both = re.fullmatch(r"light-dark\((.+), (.+)\)", value)
    pair = both.groups() if both else (value, value)
    return [re.sub(r"var\(--([\w-]+)\)", lambda scale: tokens[scale[1]], one) for one in pair]
