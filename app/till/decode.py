"""Reading the barcode in a camera's frame. The picture comes from outside: it is measured before it is opened."""

import io
import struct

import zxingcpp
from PIL import Image

from app.errors import Unprocessable
from app.till.rules import FRAME_BYTES, FRAME_PIXELS

FORMATS = zxingcpp.BarcodeFormats(
    [
        zxingcpp.BarcodeFormat.QRCode,
        zxingcpp.BarcodeFormat.PDF417,
        zxingcpp.BarcodeFormat.Aztec,
        zxingcpp.BarcodeFormat.Code128,
    ]
)
LONGEST_CODE = 64
# What Pillow raises for bytes that are not what they claim to be.
UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, struct.error, Warning, Image.DecompressionBombError)


def code_in(picture: bytes) -> str | None:
    """The text of the first barcode in a PNG or JPEG, or None if there is none to be read.

    Raises: Unprocessable `picture_too_large` or `not_a_picture`.
    """
    if len(picture) > FRAME_BYTES:
        raise Unprocessable("picture_too_large", "Send a picture of at most 300 KB.")
    grey = _opened(picture)
    found = zxingcpp.read_barcodes(grey, formats=FORMATS)
    texts = [one.text for one in found if one.valid and 0 < len(one.text) <= LONGEST_CODE and one.text.isprintable()]
    return texts[0] if texts else None


def _opened(picture: bytes) -> Image.Image:
    """The picture in grey. Only two decoders are named, and the header's size is judged before a pixel is made."""
    try:
        image = Image.open(io.BytesIO(picture), formats=("PNG", "JPEG"))
        if image.width * image.height > FRAME_PIXELS:
            raise Unprocessable("picture_too_large", "Send a picture of at most 4 megapixels.")
        return image.convert("L")
    except UNREADABLE:
        text = "This is not a picture that can be read; send a PNG or a JPEG."
        raise Unprocessable("not_a_picture", text) from None
