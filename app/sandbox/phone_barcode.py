"""Barcodes of cards as pictures that a camera can read."""

import io

import segno
import zxingcpp
from PIL import Image

QUIET_MODULES = 4
APPLE_FORMATS = {
    "PKBarcodeFormatQR": "QRCode",
    "PKBarcodeFormatPDF417": "PDF417",
    "PKBarcodeFormatAztec": "Aztec",
    "PKBarcodeFormatCode128": "Code128",
    "PKBarcodeFormatEAN13": "EAN13",
    "PKBarcodeFormatCode39": "Code39",
    "PKBarcodeFormatCodabar": "Codabar",
    "PKBarcodeFormatI2of5": "ITF",
}
GOOGLE_FORMATS = {
    "QR_CODE": "QRCode",
    "PDF_417": "PDF417",
    "AZTEC": "Aztec",
    "CODE_128": "Code128",
    "EAN_13": "EAN13",
    "EAN_8": "EAN8",
    "UPC_A": "UPCA",
    "CODE_39": "Code39",
    "CODABAR": "Codabar",
    "ITF_14": "ITF",
    "DATA_MATRIX": "DataMatrix",
}
SQUARE = frozenset({"QRCode", "Aztec", "DataMatrix"})


def barcode_png(symbology: str, message: str, encoding: str = "utf-8", *, scale: int = 8) -> bytes:
    """The barcode with its quiet zone, black on white; raises ValueError for a message it cannot hold."""
    sink = io.BytesIO()
    if symbology == "QRCode":
        segno.make_qr(message, encoding=encoding, error="m").save(sink, kind="png", scale=scale, border=QUIET_MODULES)
        return sink.getvalue()
    barcode = zxingcpp.create_barcode(message, getattr(zxingcpp.BarcodeFormat, symbology))
    picture = Image.fromarray(zxingcpp.write_barcode_to_image(barcode, scale=scale // 2, add_quiet_zones=True))
    picture.save(sink, "PNG")
    return sink.getvalue()


def qr_svg(message: str, encoding: str = "utf-8") -> bytes:
    """A QR code as a drawing, sharp at any size."""
    sink = io.BytesIO()
    code = segno.make_qr(message, encoding=encoding, error="m")
    code.save(sink, kind="svg", border=QUIET_MODULES, light="#fff", omitsize=True)
    return sink.getvalue()
