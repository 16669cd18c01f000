"""Pictures as people upload them."""

from io import BytesIO
from typing import Any

from PIL import Image


def picture(size: tuple[int, int] = (300, 100), kind: str = "PNG", mode: str = "RGB", **more: Any) -> bytes:
    """Of one colour; `more` is Pillow's."""
    file = BytesIO()
    colour = 77 if len(mode) == 1 else (200, 30, 60, 90)[: len(mode)]
    Image.new(mode, size, colour).save(file, kind, **more)
    return file.getvalue()


def noise(mode: str = "RGB", kind: str = "PNG") -> bytes:
    """What takes most octets of all pictures of a logo's size."""
    file = BytesIO()
    Image.merge(mode, [Image.effect_noise((480, 160), 200) for _ in mode]).save(file, kind)
    return file.getvalue()
