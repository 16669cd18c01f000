"""Logos: what a provider uploads is read as a picture, and written anew as a small PNG. Nothing of the file itself is kept.

So what a browser gets of a stranger's file are pixels: no markup (SVG is none of the kinds that are read), no script behind
a picture's end, no place where the picture was taken.
"""

import hashlib
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageOps

from tenants.errors import InvalidLogo, LogoTooLarge

KINDS = ("PNG", "JPEG")  # no other reader is asked
MOST_OCTETS = (
    512 * 1024
)  # of what is uploaded; with its form it fits into a request (DATA_UPLOAD_MAX_MEMORY_SIZE)
MOST_PIXELS = 2000  # of each side, asked of the file's head before anything is unpacked: 16 MB at most
WIDTH, HEIGHT = 480, 160  # of what is kept: three times what pages show
PLENTY = 32 * 1024  # octets, at most: a visitor waits for it, and it goes with every mail


@dataclass(frozen=True)
class Picture:
    """A PNG, and what is known of it."""

    octets: bytes
    width: int
    height: int

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.octets).hexdigest()


def read(upload: bytes) -> Picture:
    """Raises LogoTooLarge, or InvalidLogo for what is no still picture in PNG or JPEG."""
    if len(upload) > MOST_OCTETS:
        raise LogoTooLarge(kilobytes=MOST_OCTETS // 1024, pixels=MOST_PIXELS)
    try:
        with Image.open(BytesIO(upload), formats=KINDS) as image:
            if max(image.size) > MOST_PIXELS:
                raise LogoTooLarge(kilobytes=MOST_OCTETS // 1024, pixels=MOST_PIXELS)
            if getattr(image, "is_animated", False):
                raise InvalidLogo
            return _small(_upright(image))
    except (InvalidLogo, LogoTooLarge):
        raise
    except Exception as error:  # whatever a reader stumbles over in a stranger's file is the file's fault
        raise InvalidLogo from error


def _upright(image: Image.Image) -> Image.Image:
    """As people see it, in 8 bits a channel, with what is transparent."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bits of grey
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    return image.convert("RGBA")


def _small(image: Image.Image) -> Picture:
    image.thumbnail((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    # Of the pixels alone: an image remembers what else stood in its file, and would write some of it.
    image = Image.frombytes("RGBA", image.size, image.tobytes())
    octets = _written(image)
    if len(octets) > PLENTY:
        octets = _written(_with_few_colours(image))
    if len(octets) > PLENTY:  # whatever it shows, now it takes an octet for each of 19,200 pixels at most
        image = image.reduce(2)
        octets = _written(_with_few_colours(image))
    return Picture(octets, *image.size)


def _with_few_colours(image: Image.Image) -> Image.Image:
    return image.quantize(256, method=Image.Quantize.FASTOCTREE)


def _written(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()
