import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from passes.errors import CallbackError
from passes.google import root_keys
from passes.google.callback import EventType, Refusal, RefusedCallback, verify
from passes.google.root_keys import RootKeys
from tests.google_signer import GoogleSigner, millis, p256, sign, spki
from tests.passes.google.conftest import ISSUER

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def keys_of(google: GoogleSigner) -> RootKeys:
    return root_keys.parse(google.keys_document())


def judge(google: GoogleSigner, body: bytes, *, at: datetime = NOW, issuer: str = ISSUER) -> Refusal | None:
    """The refusal's code, or None if the callback is believed."""
    try:
        verify(body, keys=keys_of(google), issuer=issuer, now=at)
    except RefusedCallback as refused:
        return refused.code
    return None


def dumped(callback: dict[str, object]) -> bytes:
    return json.dumps(callback).encode()


def test_a_save_is_believed(google: GoogleSigner, now: datetime) -> None:
    event = verify(google.body(google.message(nonce="n-1")), keys=keys_of(google), issuer=ISSUER, now=now)

    assert event.event is EventType.SAVE
    assert (event.class_id, event.object_id) == (f"{ISSUER}.gold", f"{ISSUER}.card-1")
    assert (event.nonce, event.count) == ("n-1", 1)
    assert event.expires_at == now + timedelta(hours=1)


def test_a_delete_is_believed(google: GoogleSigner, now: datetime) -> None:
    event = verify(google.body(google.message(eventType="del")), keys=keys_of(google), issuer=ISSUER, now=now)

    assert event.event is EventType.DELETE


def test_the_second_of_two_signatures_is_enough(google: GoogleSigner) -> None:
    other = sign(p256(), b"something else")

    assert judge(google, google.body(first_signature=other)) is None


def test_a_key_whose_padding_is_escaped_is_judged_as_it_was_signed(google: GoogleSigner) -> None:
    signed_key = google.signed_key(escaped=True)

    assert "\\u003d" in signed_key
    assert judge(google, google.body(signed_key=signed_key)) is None


@pytest.mark.parametrize("suffix", ["kart-çığ", "卡片", "card-😀"])
def test_lengths_are_those_of_bytes(google: GoogleSigner, suffix: str) -> None:
    message = google.message(suffix)

    assert judge(google, google.body(message)) is None
    assert judge(google, google.body(message, in_characters=True)) is Refusal.BAD_SIGNATURE


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(suffix=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_any_text_in_an_id_is_measured_in_bytes(google: GoogleSigner, suffix: str) -> None:
    event = verify(google.body(google.message(suffix)), keys=keys_of(google), issuer=ISSUER, now=NOW)

    assert event.object_id == f"{ISSUER}.{suffix}"


def test_a_replayed_nonce_comes_out_the_same_so_that_it_can_be_remembered(google: GoogleSigner, now: datetime) -> None:
    body = google.body(google.message(nonce="once"))

    first = verify(body, keys=keys_of(google), issuer=ISSUER, now=now)
    second = verify(body, keys=keys_of(google), issuer=ISSUER, now=now)

    assert first == second
    assert first.nonce == "once"


def with_changed_message(google: GoogleSigner) -> bytes:
    callback = google.callback()
    return dumped(callback | {"signedMessage": str(callback["signedMessage"]).replace("save", "sav3", 1)})


def with_key(google: GoogleSigner, **changes: object) -> bytes:
    callback = google.callback()
    return dumped(callback | {"intermediateSigningKey": callback["intermediateSigningKey"] | changes})  # type: ignore[operator]


def with_rewritten_key(google: GoogleSigner) -> bytes:
    return with_key(google, signedKey=json.dumps(json.loads(google.signed_key())))


def with_p384_key(google: GoogleSigner) -> bytes:
    key = ec.generate_private_key(ec.SECP384R1())
    return google.body(signed_key=google.signed_key(key=key), intermediate=key)


def with_foreign_objects(google: GoogleSigner) -> bytes:
    """Signed for us, about somebody else's card."""
    return google.body(google.message(objectId="999.card"))


REFUSED: list[tuple[str, Callable[[GoogleSigner], bytes], Refusal]] = [
    ("a body of one megabyte", lambda g: g.body() + b" " * 2**20, Refusal.TOO_LARGE),
    ("no JSON", lambda g: b"save", Refusal.MALFORMED),
    ("bytes that are no text", lambda g: b"\xff\xfe\x00", Refusal.MALFORMED),
    ("an empty body", lambda g: b"", Refusal.MALFORMED),
    ("a list", lambda g: b"[]", Refusal.MALFORMED),
    ("deep nesting", lambda g: b"[" * 15_000, Refusal.MALFORMED),
    ("a number of ten thousand digits", lambda g: b'{"a":' + b"1" * 10_000 + b"}", Refusal.MALFORMED),
    ("another protocol", lambda g: dumped(g.callback() | {"protocolVersion": "ECv1"}), Refusal.WRONG_PROTOCOL),
    ("no protocol", lambda g: b"{}", Refusal.WRONG_PROTOCOL),
    ("no key", lambda g: dumped(g.callback() | {"intermediateSigningKey": None}), Refusal.MALFORMED),
    ("a key that is a list", lambda g: dumped(g.callback() | {"intermediateSigningKey": []}), Refusal.MALFORMED),
    ("no signatures", lambda g: with_key(g, signatures=[]), Refusal.MALFORMED),
    ("signatures that are a text", lambda g: with_key(g, signatures="abc"), Refusal.MALFORMED),
    ("a hundred signatures", lambda g: with_key(g, signatures=["AAAA"] * 100), Refusal.MALFORMED),
    ("a signature that is a number", lambda g: dumped(g.callback() | {"signature": 5}), Refusal.MALFORMED),
    ("a signature that is no base64", lambda g: dumped(g.callback() | {"signature": "!!"}), Refusal.MALFORMED),
    ("a signature that is no DER", lambda g: dumped(g.callback() | {"signature": "AAAA"}), Refusal.BAD_SIGNATURE),
    ("key signatures that are no base64", lambda g: with_key(g, signatures=["a"]), Refusal.MALFORMED),
    ("a message that is an object", lambda g: dumped(g.callback() | {"signedMessage": {}}), Refusal.MALFORMED),
    (
        "a message with half a character",
        lambda g: dumped(g.callback() | {"signedMessage": "\ud800"}),
        Refusal.MALFORMED,
    ),
    ("a key signed by a stranger", lambda g: with_key(g, signatures=[sign(p256(), b"x")]), Refusal.BAD_CHAIN),
    ("a key written anew", with_rewritten_key, Refusal.BAD_CHAIN),
    ("another sender", lambda g: g.body(sender="GooglePay"), Refusal.BAD_CHAIN),
    ("lengths with the big end first", lambda g: g.body(big_endian=True), Refusal.BAD_CHAIN),
    ("an expired key", lambda g: g.body(signed_key=g.signed_key(expires_at=NOW)), Refusal.EXPIRED_KEY),
    ("a signed key that is no JSON", lambda g: g.body(signed_key="key"), Refusal.MALFORMED),
    ("a key without expiry", lambda g: g.body(signed_key='{"keyValue":""}'), Refusal.MALFORMED),
    (
        "a key that is no key",
        lambda g: g.body(signed_key=json.dumps({"keyValue": "AAAA", "keyExpiration": "99999999999999"})),
        Refusal.BAD_KEY,
    ),
    ("a key on another curve", with_p384_key, Refusal.BAD_KEY),
    ("a message changed by one character", with_changed_message, Refusal.BAD_SIGNATURE),
    ("a message signed by a stranger", lambda g: g.body(intermediate=p256()), Refusal.BAD_SIGNATURE),
    ("another issuer's genuine callback", lambda g: g.body(issuer="999"), Refusal.BAD_SIGNATURE),
    ("an expired message", lambda g: g.body(g.message(expTimeMillis=millis(NOW))), Refusal.EXPIRED),
    ("a message without expiry", lambda g: g.body(g.message(expTimeMillis=None)), Refusal.MALFORMED),
    ("an expiry beyond all calendars", lambda g: g.body(g.message(expTimeMillis=10**30)), Refusal.MALFORMED),
    ("an expiry that is true", lambda g: g.body(g.message(expTimeMillis=True)), Refusal.MALFORMED),
    ("a message that is a list", lambda g: g.body("[]"), Refusal.MALFORMED),
    ("somebody else's object", with_foreign_objects, Refusal.WRONG_ISSUER),
    ("somebody else's class", lambda g: g.body(g.message(classId="999.gold")), Refusal.WRONG_ISSUER),
    (
        "an issuer that only begins like ours",
        lambda g: g.body(g.message(classId=f"{ISSUER}9.gold")),
        Refusal.WRONG_ISSUER,
    ),
    ("no object", lambda g: g.body(g.message(objectId=None)), Refusal.WRONG_ISSUER),
    ("an unknown event", lambda g: g.body(g.message(eventType="view")), Refusal.UNKNOWN_EVENT),
    ("an event that is a list", lambda g: g.body(g.message(eventType=["save"])), Refusal.UNKNOWN_EVENT),
    ("an empty nonce", lambda g: g.body(g.message(nonce="")), Refusal.NO_NONCE),
    ("no nonce", lambda g: g.body(g.message(nonce=None)), Refusal.NO_NONCE),
    ("a nonce of 300 characters", lambda g: g.body(g.message(nonce="n" * 300)), Refusal.NO_NONCE),
]


@pytest.mark.parametrize(("make", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_does_not_hold_is_refused(
    google: GoogleSigner, make: Callable[[GoogleSigner], bytes], code: Refusal
) -> None:
    assert judge(google, make(google)) is code


@pytest.mark.parametrize("member", ["protocolVersion", "signature", "intermediateSigningKey", "signedMessage"])
def test_every_member_is_needed(google: GoogleSigner, member: str) -> None:
    callback = google.callback()
    del callback[member]

    assert judge(google, dumped(callback)) is not None


def test_expired_root_keys_prove_nothing_and_the_fault_is_ours(google: GoogleSigner, now: datetime) -> None:
    keys = root_keys.parse(google.keys_document(expires_at=now))

    with pytest.raises(RefusedCallback) as refused:
        verify(google.body(), keys=keys, issuer=ISSUER, now=now)

    assert refused.value.code is Refusal.NO_ROOT_KEYS
    assert refused.value.is_our_fault
    assert refused.value.may_be_new_keys
    assert isinstance(refused.value, CallbackError)


def test_a_root_key_without_expiry_is_used(google: GoogleSigner, now: datetime) -> None:
    keys = root_keys.parse(google.keys_document(no_expiry=True))

    assert verify(google.body(), keys=keys, issuer=ISSUER, now=now).event is EventType.SAVE


def test_an_attackers_fault_is_not_ours(google: GoogleSigner, now: datetime) -> None:
    with pytest.raises(RefusedCallback) as refused:
        verify(google.body(issuer="999"), keys=keys_of(google), issuer=ISSUER, now=now)

    assert not refused.value.is_our_fault
    assert not refused.value.may_be_new_keys


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.text(max_size=8) | st.integers(),
    lambda inner: st.dictionaries(st.sampled_from(
        ["protocolVersion", "signature", "intermediateSigningKey", "signedMessage", "signedKey", "signatures"]
    ), inner | st.just("ECv2SigningOnly"), max_size=6) | st.lists(inner, max_size=2),
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_whatever_is_posted_is_refused_in_our_own_words(body: bytes) -> None:
    google = KNOWN

    assert judge(google, body) is not None


KNOWN = GoogleSigner(issuer=ISSUER, now=NOW)


class TestRootKeys:
    """The published document."""

    @pytest.mark.parametrize(
        "document",
        [
            b"",
            b"<html>",
            b"{}",
            b"[]",
            b'{"keys": 5}',
            b'{"keys": [5]}',
            b'{"keys": []}',
            b"[" * 20_000,
            b'{"keys": [{"keyValue": "AAAA", "protocolVersion": "ECv2SigningOnly"}]}',
            json.dumps({"keys": [{"keyValue": spki(p256()), "protocolVersion": "ECv1"}]}).encode(),
            json.dumps(
                {"keys": [{"keyValue": spki(p256()), "protocolVersion": "ECv2SigningOnly", "keyExpiration": "soon"}]}
            ).encode(),
            b" " * 70_000 + KNOWN.keys_document(),
        ],
        ids=lambda document: document[:24].decode(),
    )
    def test_a_document_without_a_usable_key_is_refused(self, document: bytes) -> None:
        with pytest.raises(RefusedCallback) as refused:
            root_keys.parse(document)

        assert refused.value.code is Refusal.NO_ROOT_KEYS

    def test_a_broken_entry_does_not_spoil_the_others(self) -> None:
        document = json.loads(KNOWN.keys_document())
        document["keys"].insert(0, {"keyValue": "AAAA", "protocolVersion": "ECv2SigningOnly"})

        assert len(root_keys.parse(json.dumps(document).encode()).keys) == 1

    def test_keys_are_fetched_again_an_hour_before_the_first_expires(self) -> None:
        soon = root_keys.parse(KNOWN.keys_document(expires_at=NOW + timedelta(hours=5)))

        assert soon.refresh_at(fetched_at=NOW, max_age_s=86_400) == NOW + timedelta(hours=4)
        assert soon.refresh_at(fetched_at=NOW, max_age_s=600) == NOW + timedelta(seconds=600)

    def test_keys_about_to_expire_are_not_fetched_at_every_call(self) -> None:
        dying = root_keys.parse(KNOWN.keys_document(expires_at=NOW + timedelta(minutes=5)))

        assert dying.refresh_at(fetched_at=NOW, max_age_s=0) == NOW + timedelta(minutes=1)
        assert len(dying.live(NOW)) == 1
        assert dying.live(NOW + timedelta(minutes=5)) == ()
