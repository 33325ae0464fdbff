"""Apple Wallet: the pass package, the phone's web service, and pushes.

The names below make passes. `webservice`, `devicelog` and `tag` speak with phones, `push` and `provider_token` with
APNs, `verify` and `lint` judge finished files, `folder` builds one from a folder.
"""

from passes.apple.building import build
from passes.apple.bundle import Artwork
from passes.apple.encode import encode
from passes.apple.identity import Identity
from passes.apple.model import (
    Barcode,
    BarcodeFormat,
    Beacon,
    Colour,
    Coupon,
    DateStyle,
    Field,
    Location,
    Money,
    NumberStyle,
    Semantics,
    StoreCard,
    TextAlignment,
)
from passes.apple.signing import Signer

__all__ = [
    "Artwork",
    "Barcode",
    "BarcodeFormat",
    "Beacon",
    "Colour",
    "Coupon",
    "DateStyle",
    "Field",
    "Identity",
    "Location",
    "Money",
    "NumberStyle",
    "Semantics",
    "Signer",
    "StoreCard",
    "TextAlignment",
    "build",
    "encode",
]
