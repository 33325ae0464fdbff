import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from passes.apple.provider_token import provider_token
from passes.apple.push import MEANINGS, Failure, Scope, answer, failed, push_request
from passes.errors import IdentityError
from passes.outcome import Outcome
from tests.passes.apple.samples import NOW, PASS_TYPE, TEAM

TOKEN = "ab" * 32
GONE, REFUSED, AGAIN = Outcome.GONE, Outcome.REFUSED, Outcome.TRY_AGAIN

# status, reason, outcome, scope, wait in seconds, delete the token, new connection, new JWT
ROWS = [
    (400, "BadDeviceToken", GONE, Scope.TOKEN, None, True, False, False),
    (410, "Unregistered", GONE, Scope.TOKEN, None, True, False, False),
    (410, "ExpiredToken", GONE, Scope.TOKEN, None, True, False, False),
    (400, "DeviceTokenNotForTopic", REFUSED, Scope.CONFIGURATION, None, False, False, False),
    (400, "BadTopic", REFUSED, Scope.CONFIGURATION, None, False, False, False),
    (400, "MissingTopic", REFUSED, Scope.CONFIGURATION, None, False, False, False),
    (400, "TopicDisallowed", REFUSED, Scope.CONFIGURATION, None, False, False, False),
    (400, "BadCollapseId", REFUSED, Scope.REQUEST, None, False, False, False),
    (400, "BadExpirationDate", REFUSED, Scope.REQUEST, None, False, False, False),
    (400, "BadMessageId", REFUSED, Scope.REQUEST, None, False, False, False),
    (400, "BadPriority", REFUSED, Scope.REQUEST, None, False, False, False),
    (400, "DuplicateHeaders", REFUSED, Scope.REQUEST, None, False, False, False),
    (400, "InvalidPushType", REFUSED, Scope.REQUEST, None, False, False, False),
    (400, "MissingDeviceToken", REFUSED, Scope.REQUEST, None, False, False, False),
    (400, "PayloadEmpty", REFUSED, Scope.REQUEST, None, False, False, False),
    (404, "BadPath", REFUSED, Scope.REQUEST, None, False, False, False),
    (405, "MethodNotAllowed", REFUSED, Scope.REQUEST, None, False, False, False),
    (413, "PayloadTooLarge", REFUSED, Scope.REQUEST, None, False, False, False),
    (400, "IdleTimeout", AGAIN, Scope.CONNECTION, 0, False, True, False),
    (403, "BadCertificate", REFUSED, Scope.CREDENTIAL, None, False, True, False),
    (403, "BadCertificateEnvironment", REFUSED, Scope.CREDENTIAL, None, False, True, False),
    (403, "Forbidden", REFUSED, Scope.CREDENTIAL, None, False, True, False),
    (403, "InvalidProviderToken", REFUSED, Scope.CREDENTIAL, None, False, True, False),
    (403, "MissingProviderToken", REFUSED, Scope.CREDENTIAL, None, False, True, False),
    (403, "UnrelatedKeyIdInToken", REFUSED, Scope.CREDENTIAL, None, False, True, False),
    (403, "BadEnvironmentKeyIdInToken", REFUSED, Scope.CREDENTIAL, None, False, True, False),
    (403, "ExpiredProviderToken", AGAIN, Scope.CONNECTION, 0, False, True, True),
    (429, "TooManyRequests", AGAIN, Scope.TOKEN, 300, False, False, False),
    (429, "TooManyProviderTokenUpdates", AGAIN, Scope.SERVICE, 1200, False, False, False),
    (500, "InternalServerError", AGAIN, Scope.SERVICE, 900, False, False, False),
    (503, "ServiceUnavailable", AGAIN, Scope.SERVICE, 900, False, False, False),
    (503, "Shutdown", AGAIN, Scope.SERVICE, 900, False, False, False),
]


@pytest.mark.parametrize("row", ROWS, ids=[f"{row[0]}-{row[1]}" for row in ROWS])
def test_each_answer_means_what_the_table_says(row: tuple[object, ...]) -> None:
    status, reason = row[:2]

    told = answer(int(str(status)), json.dumps({"reason": reason}).encode())

    assert (
        told.status,
        told.reason,
        told.outcome,
        told.scope,
        told.retry_after_s,
        told.delete_token,
        told.new_connection,
        told.new_provider_token,
    ) == row


def test_the_table_here_is_the_whole_table() -> None:
    assert {(row[0], row[1]) for row in ROWS} == set(MEANINGS)


def test_200_is_delivered_whatever_the_body() -> None:
    assert answer(200).outcome is Outcome.DELIVERED
    assert answer(200, b"junk").outcome is Outcome.DELIVERED


def test_410_names_the_moment_since_which_the_token_is_dead() -> None:
    told = answer(410, b'{"reason": "Unregistered", "timestamp": 1763726400123}')

    assert told.dead_since == datetime(2025, 11, 21, 12, 0, 0, 123_000, tzinfo=UTC)
    assert answer(400, b'{"reason": "BadDeviceToken", "timestamp": 1763726400123}').dead_since is None


@pytest.mark.parametrize("timestamp", ["null", '"x"', "-1", "true", "1e400", "9" * 30, "1.5"])
def test_a_senseless_moment_is_none(timestamp: str) -> None:
    told = answer(410, f'{{"reason": "Unregistered", "timestamp": {timestamp}}}'.encode())

    assert told.outcome is Outcome.GONE
    assert told.dead_since is None


@pytest.mark.parametrize(
    ("status", "outcome", "scope"),
    [
        (400, REFUSED, Scope.REQUEST),
        (403, REFUSED, Scope.CREDENTIAL),
        (410, GONE, Scope.TOKEN),
        (418, REFUSED, Scope.REQUEST),
        (429, AGAIN, Scope.TOKEN),
        (502, AGAIN, Scope.SERVICE),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"reason": 5}', b'{"reason": "New\\nReason"}', b"[" * 9000])
def test_an_answer_without_a_known_reason_is_judged_by_its_status(
    status: int, outcome: Outcome, scope: Scope, body: bytes
) -> None:
    told = answer(status, body)

    assert (told.outcome, told.scope, told.reason) == (outcome, scope, "")


@pytest.mark.parametrize(
    ("failure", "outcome", "scope", "wait", "new_connection"),
    [
        (Failure.TIMEOUT, AGAIN, Scope.CONNECTION, None, True),
        (Failure.CONNECTION_LOST, AGAIN, Scope.CONNECTION, None, True),
        (Failure.GOAWAY_UNPROCESSED, AGAIN, Scope.CONNECTION, 0, True),
        (Failure.REFUSED_STREAM, AGAIN, Scope.CONNECTION, 0, False),
        (Failure.CERTIFICATE_REFUSED, REFUSED, Scope.CREDENTIAL, None, True),
    ],
)
def test_no_answer_has_a_meaning_too(
    failure: Failure, outcome: Outcome, scope: Scope, wait: int | None, new_connection: bool
) -> None:
    told = failed(failure)

    assert (told.outcome, told.scope, told.retry_after_s, told.new_connection) == (outcome, scope, wait, new_connection)
    assert told.status == 0


def test_the_usual_push_is_empty_and_in_the_background() -> None:
    asked = push_request(TOKEN.upper(), PASS_TYPE)

    assert asked.path == f"/3/device/{TOKEN}"
    assert asked.body == b"{}"
    assert dict(asked.headers) == {"apns-topic": PASS_TYPE, "apns-push-type": "background", "apns-priority": "5"}


def test_every_header_can_be_chosen() -> None:
    asked = push_request(
        TOKEN,
        PASS_TYPE,
        apns_id=UUID("AAAAAAAA-0000-0000-0000-000000000001"),
        push_type=None,
        priority=None,
        expires_at=datetime(2027, 1, 1, tzinfo=UTC),
        provider_token="a.b.c",
    )

    assert dict(asked.headers) == {
        "apns-topic": PASS_TYPE,
        "apns-id": "aaaaaaaa-0000-0000-0000-000000000001",
        "apns-expiration": "1798761600",
        "authorization": "bearer a.b.c",
    }


def test_a_past_expiry_does_not_turn_into_a_single_attempt() -> None:
    asked = push_request(TOKEN, PASS_TYPE, expires_at=datetime.fromtimestamp(0, UTC) - timedelta(days=1))

    assert dict(asked.headers)["apns-expiration"] == "1"


def test_what_apns_would_refuse_is_not_asked() -> None:
    with pytest.raises(ValueError, match="hexadecimal"):
        push_request("../../x", PASS_TYPE)
    with pytest.raises(ValueError, match="priority 5"):
        push_request(TOKEN, PASS_TYPE, priority=10)


KEY = ec.generate_private_key(ec.SECP256R1())
P8 = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_a_kept_library_verifies_many_tokens() -> None:
    """One signature in 128 has a number with a leading zero byte, which a careless conversion would drop."""
    for _ in range(600):
        token = provider_token(P8, key_id="ABC123DEFG", team=TEAM, at=NOW)

        claims = jwt.decode(token, PUBLIC, algorithms=["ES256"], options={"verify_iat": False})
        assert claims == {"iss": TEAM, "iat": int(NOW.timestamp())}
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": "ABC123DEFG"}


def test_a_wrong_key_or_id_is_refused() -> None:
    p384 = ec.generate_private_key(ec.SECP384R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    rsa_pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    for key, told in ((b"junk", "cannot be read"), (p384, "P-256"), (rsa_pem, "P-256")):
        with pytest.raises(IdentityError, match=told):
            provider_token(key, key_id="ABC123DEFG", team=TEAM, at=NOW)
    with pytest.raises(IdentityError) as caught:
        provider_token(P8, key_id="abc", team="x", at=NOW)
    assert len(caught.value.problems) == 2
