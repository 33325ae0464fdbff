"""Signatures as the public specification has them, judged by a receiver that knows nothing of the product."""

import base64

import pytest

from app.webhooks import signing
from tests.app.webhooks import receiver
from tests.app.webhooks.receiver import NotGenuine

SECRET = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
PUBLISHED = {"message_id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "timestamp_s": 1614265330, "body": b'{"test": 2432232314}'}


def headers_of(*secrets: bytes, **over: object) -> dict[str, str]:
    lines = signing.headers(secrets, **{**PUBLISHED, **over})  # type: ignore[arg-type]  # values of a test
    return dict(line.split(": ", 1) for line in lines)


def test_the_example_of_the_published_libraries_gets_their_signature() -> None:
    assert signing.signature(SECRET, **PUBLISHED) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="  # type: ignore[arg-type]


def test_a_receiver_believes_what_is_signed_and_nothing_that_was_changed() -> None:
    headers, text = headers_of(SECRET), signing.secret_text(SECRET)

    assert receiver.check(text, headers, b'{"test": 2432232314}', now_s=1614265330) == PUBLISHED["message_id"]
    for changed, body in (
        ({}, b'{"test": 2432232315}'),
        ({"webhook-id": "msg_another"}, b'{"test": 2432232314}'),
        ({"webhook-timestamp": "1614265331"}, b'{"test": 2432232314}'),
    ):
        with pytest.raises(NotGenuine):
            receiver.check(text, headers | changed, body, now_s=1614265330)
    with pytest.raises(NotGenuine):
        receiver.check(text, headers, b'{"test": 2432232314}', now_s=1614265330 + 301)


def test_during_a_rotation_both_secrets_are_believed_and_a_third_is_not() -> None:
    new, old, other = signing.new_secret(), signing.new_secret(), signing.new_secret()

    headers = headers_of(new, old)

    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (new, old):
        receiver.check(signing.secret_text(secret), headers, PUBLISHED["body"], now_s=1614265330)  # type: ignore[arg-type]
    with pytest.raises(NotGenuine):
        receiver.check(signing.secret_text(other), headers, PUBLISHED["body"], now_s=1614265330)  # type: ignore[arg-type]


def test_secrets_are_new_each_time_and_long_enough() -> None:
    made = {signing.new_secret() for _ in range(20)}

    assert len(made) == 20
    assert all(24 <= len(one) <= 64 for one in made)
