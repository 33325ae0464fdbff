"""What a till allows without asking anybody."""

import re
from collections.abc import Mapping
from datetime import timedelta

from app import money
from app.staff import throttle

RECENT_WITHIN = timedelta(hours=12)
LAST_ACTIONS = 5
MOST_STAMPS = 500

WRONG_CODES = throttle.WRONG_CODES

# A sale above this needs a manager. The unit of a currency says little about its worth, hence the exceptions.
SALE_LIMIT = 10_000
SALE_LIMIT_BY_CURRENCY = {"IDR": 20_000_000, "VND": 25_000_000, "KRW": 1_500_000, "JPY": 150_000, "HUF": 400_000}

# The pictures that a camera sends for reading.
FRAME_BYTES = 300 * 1024
FRAME_PIXELS = 4_000_000

SERIAL = re.compile(r"[A-Za-z0-9_-]{1,64}")
PUBLIC_ID = re.compile(r"[a-z]{3}_[0-9a-z]{1,64}")
PICKED = "with_"


def sale_limit_minor(currency: str) -> int:
    """The largest sale that a cashier may book alone, in minor units."""
    return int(SALE_LIMIT_BY_CURRENCY.get(currency, SALE_LIMIT) * 10 ** money.exponent(currency))


def picked_in(form: Mapping[str, str]) -> tuple[str, ...]:
    """The public ids of the offers that were ticked beside a purchase, in a fixed order."""
    names = (name.removeprefix(PICKED) for name in form if name.startswith(PICKED))
    return tuple(sorted(name for name in names if PUBLIC_ID.fullmatch(name)))
