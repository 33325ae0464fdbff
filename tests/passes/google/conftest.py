from datetime import UTC, datetime

import pytest
from hypothesis import settings

from tests.google_signer import GoogleSigner

# A machine that is busy with something else is no fault of the code.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

ISSUER = "3388000000012345678"


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


@pytest.fixture
def google(now: datetime) -> GoogleSigner:
    return GoogleSigner(issuer=ISSUER, now=now)
