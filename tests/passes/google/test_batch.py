"""Batches: what is sent is what a strict reader of multipart finds, and any answer can be taken apart."""

import email
import json
from email.policy import HTTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passes.google import api, batch
from passes.google.ids import Kind, ResourceId

ID = ResourceId.parse("3388000000012345678.card_1")


def patch(points: int) -> api.Request:
    return api.patch(Kind.LOYALTY_OBJECT, ID, {"loyaltyPoints": {"balance": {"int": points}, "label": "Puanınız"}})


def test_each_part_is_a_whole_request() -> None:
    body = batch.encode([patch(1), api.get(Kind.LOYALTY_OBJECT, ID, fields="id,hasUsers")], boundary="b0undary")

    message = email.message_from_bytes(b"Content-Type: multipart/mixed; boundary=b0undary\r\n\r\n" + body, policy=HTTP)
    first, second = message.iter_parts()
    assert (first["Content-ID"], first.get_content_type()) == ("<item-0>", "application/http")
    head, _, content = first.get_payload(decode=True).partition(b"\r\n\r\n")
    assert head.splitlines()[0] == b"PATCH /walletobjects/v1/loyaltyObject/3388000000012345678.card_1"
    assert json.loads(content) == patch(1).body
    assert f"Content-Length: {len(patch(1).content or b'')}".encode() in head
    assert second.get_payload(decode=True).splitlines()[0].endswith(b"?fields=id%2ChasUsers")


@pytest.mark.parametrize("count", [0, batch.CALLS_MAX + 1])
def test_too_many_and_none_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match="a batch holds 1 to 50 calls"):
        batch.encode([patch(1)] * count, boundary="b")


ANSWER = (
    b"--x\r\nContent-Type: application/http\r\nContent-ID: <response-item-1>\r\n\r\n"
    b'HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nRetry-After: 7\r\n\r\n{"error": {"code": 404}}\r\n'
    b"--x\r\nContent-Type: application/http\r\nContent-ID: <response-item-0>\r\n\r\n"
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{"id": "Ay\xc5\x9fe"}\r\n'
    b"--x--\r\n"
)


def test_answers_are_found_by_their_call_in_any_order() -> None:
    found = batch.decode("multipart/mixed; boundary=x", ANSWER)

    assert {number: part.status for number, part in found.items()} == {0: 200, 1: 404}
    assert json.loads(found[0].content) == {"id": "Ayşe"}
    assert found[1].headers["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("text/html", b"<html>a proxy's page</html>"),
        ("multipart/mixed", ANSWER),
        ("multipart/mixed; boundary=other", ANSWER),
        ("multipart/mixed; boundary=x", ANSWER.replace(b"response-item", b"something")),
        ("multipart/mixed; boundary=x", ANSWER.replace(b"HTTP/1.1", b"FTP/1.1 ")),
        ("multipart/mixed; boundary=x", b""),
    ],
)
def test_nonsense_yields_nothing(content_type: str, content: bytes) -> None:
    assert batch.decode(content_type, content) == {}


@given(st.text(max_size=60), st.binary(max_size=400))
def test_no_answer_makes_it_fail(content_type: str, content: bytes) -> None:
    batch.decode(content_type, content)
    batch.decode("multipart/mixed; boundary=x", b"--x\r\n" + content + b"\r\n--x--")
