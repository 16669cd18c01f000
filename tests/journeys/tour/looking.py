"""What tests do at each step of a tour."""

from collections.abc import Callable

Look = Callable[[str], None]
