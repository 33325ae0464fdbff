import json
from collections.abc import Iterator
from datetime import UTC, datetime

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from passes.errors import IdentityError, InvalidPass
from passes.google.ids import Kind
from passes.google.save_link import PREFIX, ObjectRef, Signer, save_jwt, save_link
from tests.passes.google.makers import rid

AT = datetime(2026, 11, 20, 9, 30, 0, 999_999, tzinfo=UTC)
EMAIL = "tessera@bean-club.iam.gserviceaccount.com"
ORIGINS = ("https://cards.example",)
CARD = ObjectRef(kind=Kind.LOYALTY_OBJECT, id=rid("card-1"), class_id=rid("gold"))


def pem_of(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture(scope="module")
def key() -> Iterator[rsa.RSAPrivateKey]:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)  # type: ignore[return-value]


@pytest.fixture(scope="module")
def signer(key: rsa.RSAPrivateKey) -> Signer:
    return Signer.from_pem(pem_of(key), email=EMAIL, key_id="a1b2")


def coupons(count: int) -> list[ObjectRef]:
    return [
        ObjectRef(kind=Kind.OFFER_OBJECT, id=rid(f"coupon-{n}"), class_id=rid("offer.week47")) for n in range(count)
    ]


def test_another_library_believes_the_link_and_reads_the_right_claims(key: rsa.RSAPrivateKey, signer: Signer) -> None:
    link = save_link(signer, [CARD, *coupons(1)], origins=ORIGINS, at=AT)

    token = link.removeprefix(PREFIX)
    claims = jwt.decode(token, key.public_key(), algorithms=["RS256"], audience="google", options={"verify_iat": False})
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "typ": "JWT", "kid": "a1b2"}
    assert claims == {
        "iss": EMAIL,
        "aud": "google",
        "typ": "savetowallet",
        "iat": 1795167000,
        "origins": ["https://cards.example"],
        "payload": {
            "loyaltyObjects": [{"id": str(rid("card-1")), "classId": str(rid("gold"))}],
            "offerObjects": [{"id": str(rid("coupon-0")), "classId": str(rid("offer.week47"))}],
        },
    }
    assert isinstance(claims["iat"], int)


def test_another_key_does_not_verify_the_link(signer: Signer) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    token = save_link(signer, [CARD], origins=ORIGINS, at=AT).removeprefix(PREFIX)

    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, other.public_key(), algorithms=["RS256"], audience="google")


def test_a_link_has_no_character_that_an_address_must_escape(signer: Signer) -> None:
    link = save_link(signer, [CARD], origins=ORIGINS, at=AT, prefix="http://127.0.0.1:9/save/")

    assert link.startswith("http://127.0.0.1:9/save/")
    assert set(link.removeprefix("http://127.0.0.1:9/save/")) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
    )


def test_a_key_without_an_id_names_none(key: rsa.RSAPrivateKey) -> None:
    token = save_jwt(Signer.from_pem(pem_of(key), email=EMAIL), [CARD], origins=ORIGINS, at=AT)

    assert "kid" not in jwt.get_unverified_header(token)


def test_one_card_is_far_from_the_limit_and_too_many_are_refused(signer: Signer) -> None:
    assert len(save_link(signer, [CARD], origins=ORIGINS, at=AT)) < 1000
    with pytest.raises(InvalidPass, match="name fewer objects"):
        save_link(signer, [CARD, *coupons(30)], origins=ORIGINS, at=AT)


def test_no_link_is_ever_longer_than_the_limit(signer: Signer) -> None:
    lengths = []
    for count in range(30):
        try:
            lengths.append(len(save_link(signer, [CARD, *coupons(count)], origins=ORIGINS, at=AT)))
        except InvalidPass:
            break

    assert max(lengths) <= 1800
    assert max(lengths) > 1700
    assert len(save_jwt(signer, [CARD, *coupons(30)], origins=ORIGINS, at=AT)) > 1800


@pytest.mark.parametrize(
    "origin",
    [
        "cards.example",
        "https://cards.example/",
        "https://cards.example/join",
        "ftp://cards.example",
        "https://",
        "https://a:x",
    ],
)
def test_an_origin_that_is_none_is_refused(signer: Signer, origin: str) -> None:
    with pytest.raises(InvalidPass, match="origin"):
        save_link(signer, [CARD], origins=[origin], at=AT)


@pytest.mark.parametrize("origin", ["https://cards.example:8443", "http://127.0.0.1:8080", "http://[::1]:8080"])
def test_an_origin_may_have_a_port(signer: Signer, origin: str) -> None:
    assert save_link(signer, [CARD], origins=[origin], at=AT)


def test_a_link_to_nothing_or_to_a_class_is_refused(signer: Signer) -> None:
    with pytest.raises(InvalidPass, match="at least one"):
        save_link(signer, [], origins=ORIGINS, at=AT)
    with pytest.raises(InvalidPass, match="objects only"):
        save_link(
            signer,
            [ObjectRef(kind=Kind.LOYALTY_CLASS, id=rid("gold"), class_id=rid("gold"))],
            origins=ORIGINS,
            at=AT,
        )


def test_a_key_that_cannot_sign_is_refused(key: rsa.RSAPrivateKey) -> None:
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    for pem in (b"", b"not a key", pem_of(ec.generate_private_key(ec.SECP256R1())), pem_of(small)):
        with pytest.raises(IdentityError, match="download a new one"):
            Signer.from_pem(pem, email=EMAIL)
    with pytest.raises(IdentityError, match="client_email"):
        Signer.from_pem(pem_of(key), email="tessera")


def test_a_signer_does_not_show_its_key(signer: Signer) -> None:
    assert "key=" not in repr(signer)
    assert "PRIVATE" not in json.dumps(repr(signer))
