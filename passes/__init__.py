"""The formats and protocols of Apple Wallet and Google Wallet: values in, values out.

Nothing here opens a socket, asks the time or writes a log. `passes.apple` and `passes.google` hold a wallet each.
"""

from passes.errors import BundleError, CallbackError, IdentityError, InvalidPass, PassError, VerificationError
from passes.outcome import Outcome

__all__ = [
    "BundleError",
    "CallbackError",
    "IdentityError",
    "InvalidPass",
    "Outcome",
    "PassError",
    "VerificationError",
]
