"""What may stand as a name: in lists, on pages, and at the beginning of our mails."""

from unicodedata import category

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

# Unicode's categories: controls, ends of lines and of paragraphs, halves of characters. What is merely invisible may
# stay: Persian, Arabic and Hebrew names and many emojis are not written without it.
NO_LINE = {"Cc", "Zl", "Zp", "Cs"}
# Embeddings and overrides of direction: what stands behind the name on the page would be turned around with it.
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e")


def is_a_line(text: str) -> bool:
    """Whether it stays in its line, and leaves what stands around it as it is."""
    return not any(char in TURNING or category(char) in NO_LINE for char in text)


def validate_name(name: str) -> None:
    """Raises ValidationError for line breaks: in a mail of ours they would begin paragraphs that we did not write."""
    if not is_a_line(name):
        raise ValidationError(_("The name must not have line breaks or control characters."), code="name")
