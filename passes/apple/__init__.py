"""Apple Wallet: the pass package, the phone's web service, and pushes."""

from passes.apple.building import build
from passes.apple.bundle import Artwork
from passes.apple.encode import encode
from passes.apple.identity import Identity
from passes.apple.model import Barcode, Beacon, Colour, Coupon, Field, Location, Money, Semantics, StoreCard
from passes.apple.signing import Signer

__all__ = [
    "Artwork",
    "Barcode",
    "Beacon",
    "Colour",
    "Coupon",
    "Field",
    "Identity",
    "Location",
    "Money",
    "Semantics",
    "Signer",
    "StoreCard",
    "build",
    "encode",
]
