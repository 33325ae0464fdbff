from datetime import UTC, datetime

import pytest

from tests.google_signer import GoogleSigner

ISSUER = "3388000000012345678"


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


@pytest.fixture
def google(now: datetime) -> GoogleSigner:
    return GoogleSigner(issuer=ISSUER, now=now)
