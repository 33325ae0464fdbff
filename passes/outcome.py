"""The one question about a failed send: is it worth trying again?"""

from enum import Enum


class Outcome(Enum):
    """What a wallet service's answer means for the thing that was sent."""

    DELIVERED = "delivered"
    TRY_AGAIN = "try_again"
    GONE = "gone"
    REFUSED = "refused"
