"""What the simulated iPhone refuses, accepts with a defect, and accepts."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder

from app.sandbox.apple_pass import Verdict, judge
from app.sandbox.apple_strings import StringsError, parse_strings, pick_language
from tests.app.sandbox.phone_kit import TOKEN, card_json, pack, png, sign, zip_of
from tests.authority import Authority, PassCertificate


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def identity(authority: Authority) -> PassCertificate:
    return authority.issue_pass_certificate()


def verdict_on(pkpass: bytes, identity: PassCertificate) -> Verdict:
    return judge(pkpass, identity.root_pem, allow_http=False)


def codes(verdict: Verdict) -> set[str]:
    return {finding.code for finding in verdict.findings}


def test_a_right_pass_is_accepted_without_a_finding(identity: PassCertificate) -> None:
    verdict = verdict_on(pack(card_json(identity), identity), identity)

    assert verdict.accepted
    assert verdict.findings == []
    assert verdict.signature.valid
    assert verdict.signature.judge == "openssl"
    assert verdict.signature.pass_type == identity.pass_type


def _field(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content["storeCard"]["headerFields"][0].update(changes)


def _key(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content.update(changes)


def _barcode(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content["barcodes"][0].update(changes)


REFUSED: list[tuple[str, Callable[[dict[str, Any]], Any]]] = [
    ("pass.formatVersion", _key(formatVersion="1")),
    ("pass.formatVersion", _key(formatVersion=True)),
    ("pass.serialNumber", _key(serialNumber=7)),
    ("pass.description", lambda content: content.pop("description")),
    ("pass.identity", _key(passTypeIdentifier="pass.test.other")),
    ("pass.identity", _key(teamIdentifier="OTHER12345")),
    ("pass.style", lambda content: content.pop("storeCard")),
    ("pass.style", _key(coupon={})),
    ("pass.date", _key(expirationDate="2030-01-01T10:00:00")),
    ("pass.date", _key(expirationDate="2030-01-01")),
    ("pass.date", _key(expirationDate="2030-01-01T10:00:00+0000")),
    ("pass.date", _key(expirationDate="2030-13-01T10:00:00Z")),
    ("pass.colour", _key(backgroundColor="rgb(300,0,0)")),
    ("pass.colour", _key(backgroundColor="green")),
    ("pass.boolean", _key(voided="false")),
    ("pass.storeIds", _key(associatedStoreIdentifiers=["1"])),
    ("pass.coordinates", _key(locations=[{"latitude": "41.0", "longitude": 29.0}])),
    ("pass.coordinates", _key(locations=[{"latitude": 95, "longitude": 29.0}])),
    ("pass.locations", _key(locations={"latitude": 41.0, "longitude": 29.0})),
    ("pass.null", _key(logoText=None)),
    ("pass.nfc", _key(nfc={"message": "x"})),
    ("service.https", _key(webServiceURL="http://shop.example", authenticationToken=TOKEN)),
    ("service.url", _key(webServiceURL="https://", authenticationToken=TOKEN)),
    ("service.url", _key(webServiceURL="https://[broken", authenticationToken=TOKEN)),
    ("service.pair", _key(webServiceURL="https://shop.example")),
    ("service.token", _key(webServiceURL="https://shop.example", authenticationToken="short")),
    ("service.token", _key(webServiceURL="https://shop.example", authenticationToken="with a space in the token")),
    ("barcode.array", _key(barcodes={"format": "PKBarcodeFormatQR"})),
    ("barcode.object", _key(barcodes=["PKBarcodeFormatQR"])),
    ("barcode.format", _barcode(format="QR")),
    ("barcode.message", _barcode(message=12345)),
    ("barcode.encoding", _barcode(message="Şeker")),
    ("barcode.encoding", _barcode(messageEncoding="klingon")),
    ("barcode.format", _key(barcode={"format": "PKBarcodeFormatCode128", "message": "1", "messageEncoding": "ascii"})),
    ("field.duplicate", _field(key="latest")),
    ("field.value", _field(value=None)),
    ("field.value", lambda content: content["storeCard"]["headerFields"][0].pop("value")),
    ("field.key", _field(key="")),
    ("field.null", _field(label=None)),
    ("field.text", _field(changeMessage=5)),
    ("field.currency", _field(value="12.50", currencyCode="EUR")),
    ("field.date", _field(value="2030-01-01", dateStyle="PKDateStyleShort", timeStyle="PKDateStyleNone")),
    ("field.dateStyle", _field(value="2030-01-01T10:00Z", dateStyle="short", timeStyle="PKDateStyleNone")),
    ("field.alignment", _field(textAlignment="left")),
    ("field.detectors", _field(dataDetectorTypes="PKDataDetectorTypeLink")),
    ("field.group", lambda content: content["storeCard"].update(backFields={})),
    ("field.object", lambda content: content["storeCard"].update(backFields=["text"])),
]


@pytest.mark.parametrize(("code", "spoil"), REFUSED)
def test_a_wrong_pass_json_is_refused(
    identity: PassCertificate, code: str, spoil: Callable[[dict[str, Any]], Any]
) -> None:
    content = card_json(identity)
    spoil(content)

    verdict = verdict_on(pack(content, identity), identity)

    assert not verdict.accepted
    assert code in {finding.code for finding in verdict.findings if finding.fatal}


DEFECTS: list[tuple[str, Callable[[dict[str, Any]], Any]]] = [
    ("pass.unknown", _key(expiryDate="2030-01-01T10:00:00Z")),
    ("pass.expired", _key(expirationDate="2020-01-01T10:00:00Z")),
    ("pass.relevantDate", _key(relevantDate="2030-01-01T10:00:00Z")),
    ("pass.maxDistance", _key(maxDistance="100")),
    ("pass.locations", _key(locations=[{"latitude": 41.0, "longitude": 29.0}] * 11)),
    ("service.v1", _key(webServiceURL="https://shop.example/v1", authenticationToken=TOKEN)),
    ("service.slash", _key(webServiceURL="https://shop.example/", authenticationToken=TOKEN)),
    ("field.changeMessage", _field(changeMessage="New points")),
    ("field.unknown", _field(colour="red")),
    ("field.numberStyle", _field(value="many", numberStyle="PKNumberStyleDecimal")),
    ("barcode.new", _barcode(format="PKBarcodeFormatEAN13", message="4006381333931")),
]


@pytest.mark.parametrize(("code", "spoil"), DEFECTS)
def test_what_wallet_silently_drops_is_a_finding_but_no_refusal(
    identity: PassCertificate, code: str, spoil: Callable[[dict[str, Any]], Any]
) -> None:
    content = card_json(identity)
    spoil(content)

    verdict = verdict_on(pack(content, identity), identity)

    assert verdict.accepted
    assert code in codes(verdict)


def test_http_needs_the_developer_switch(identity: PassCertificate) -> None:
    content = card_json(identity, webServiceURL="http://127.0.0.1:1", authenticationToken=TOKEN)
    pkpass = pack(content, identity)

    assert judge(pkpass, identity.root_pem, allow_http=True).accepted
    assert "service.https" in codes(judge(pkpass, identity.root_pem, allow_http=False))


@pytest.mark.parametrize(
    ("code", "content"),
    [
        ("json.invalid", b"\xef\xbb\xbf{}"),
        ("json.invalid", b'{"formatVersion": 1,}'),
        ("json.invalid", b'{"formatVersion": NaN}'),
        ("json.invalid", b'{"serialNumber": "1", "serialNumber": "2"}'),
        ("json.invalid", b"[" * 100_000),
        ("json.invalid", b"\xff\xfe"),
        ("pass.object", b"[]"),
    ],
)
def test_a_pass_json_that_is_no_json_object_is_refused(identity: PassCertificate, code: str, content: bytes) -> None:
    assert code in codes(verdict_on(pack(content, identity), identity))


def _files(identity: PassCertificate) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(pack(card_json(identity), identity))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize(
    ("code", "spoil"),
    [
        ("manifest.extra", lambda files: files.update({"stray.txt": b"x"})),
        ("manifest.missing", lambda files: files.pop("icon@3x.png")),
        ("manifest.hash", lambda files: files.update({"icon@3x.png": png(115, 115)})),
        ("file.missing", lambda files: files.pop("signature")),
        ("file.missing", lambda files: files.pop("manifest.json")),
        ("file.missing", lambda files: files.pop("pass.json")),
        ("signature.manifest", lambda files: files.update({"manifest.json": files["manifest.json"] + b"\n"})),
        ("signature.broken", lambda files: files.update({"signature": b"\x30\x03\x02\x01\x01"})),
        ("signature.pem", lambda files: files.update({"signature": b"-----BEGIN CMS-----\n"})),
        ("zip.folder", lambda files: files.update({"images/logo.png": png(2, 2)})),
        ("zip.stray", lambda files: files.update({"__MACOSX/._pass.json": b"x"})),
        ("zip.name", lambda files: files.update({"../pass.json": b"x"})),
    ],
)
def test_an_archive_that_does_not_match_its_manifest_is_refused(
    identity: PassCertificate, code: str, spoil: Callable[[dict[str, bytes]], Any]
) -> None:
    files = _files(identity)
    spoil(files)

    verdict = verdict_on(zip_of(files), identity)

    assert not verdict.accepted
    assert code in codes(verdict)


def test_an_archive_inside_a_folder_is_refused(identity: PassCertificate) -> None:
    files = {f"card/{name}": content for name, content in _files(identity).items()}

    assert {"zip.folder", "file.missing"} <= codes(verdict_on(zip_of(files), identity))


@pytest.mark.parametrize("content", [b"", b"PK", b"<html>Please sign in</html>", b"PK\x05\x06" + b"\x00" * 18])
def test_what_is_no_archive_is_refused(identity: PassCertificate, content: bytes) -> None:
    verdict = verdict_on(content, identity)

    assert not verdict.accepted
    assert verdict.findings or verdict.apple_pass is None


def test_a_missing_or_broken_icon_is_refused(identity: PassCertificate) -> None:
    assert "image.icon" in codes(verdict_on(pack(card_json(identity), identity, icon=False), identity))
    broken = pack(card_json(identity), identity, extra={"logo.png": b"GIF89a"})
    assert "image.broken" in codes(verdict_on(broken, identity))


def _signed_with(identity: PassCertificate, *options: PKCS7Options, intermediate: bool = True) -> bytes:
    files = _files(identity)
    builder = PKCS7SignatureBuilder().set_data(files["manifest.json"])
    builder = builder.add_signer(identity.certificate, identity.key, SHA256())
    if intermediate:
        builder = builder.add_certificate(identity.intermediate)
    return zip_of(files | {"signature": builder.sign(Encoding.DER, list(options))})


DETACHED, BINARY = PKCS7Options.DetachedSignature, PKCS7Options.Binary


@pytest.mark.parametrize(
    ("code", "options", "intermediate"),
    [
        ("signature.intermediate", (DETACHED, BINARY), False),
        ("signature.attached", (BINARY,), True),
        ("signature.manifest", (DETACHED,), True),  # line ends are canonicalised before hashing
        ("signature.attributes", (DETACHED, BINARY, PKCS7Options.NoAttributes), True),
    ],
)
def test_a_signature_made_wrongly_is_refused(
    identity: PassCertificate, code: str, options: tuple[PKCS7Options, ...], intermediate: bool
) -> None:
    verdict = verdict_on(_signed_with(identity, *options, intermediate=intermediate), identity)

    assert not verdict.accepted
    assert not verdict.signature.valid
    assert code in codes(verdict)


@pytest.mark.parametrize("judge_name", ["openssl", "cryptography"])
def test_both_judges_accept_ours_and_refuse_a_strangers_or_expired_signature(
    authority: Authority, identity: PassCertificate, judge_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if judge_name == "cryptography":
        monkeypatch.setenv("PATH", "")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    stranger = Authority("Stranger").issue_pass_certificate()
    expired = authority.issue_pass_certificate(not_before=yesterday - timedelta(days=9), not_after=yesterday)

    ours = verdict_on(pack(card_json(identity), identity), identity)
    theirs = verdict_on(pack(card_json(stranger), stranger), identity)
    old = verdict_on(pack(card_json(expired), expired), identity)

    assert ours.accepted
    assert ours.signature.judge == judge_name
    assert "signature.invalid" in codes(theirs)
    assert any("unable to get local issuer certificate" in reason for reason in theirs.reasons)
    assert "signature.expired" in codes(old)


def test_both_judges_refuse_a_signature_with_one_bit_changed(
    identity: PassCertificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = _files(identity)
    spoilt = bytearray(sign(files["manifest.json"], identity))
    spoilt[-1] ^= 1
    pkpass = zip_of(files | {"signature": bytes(spoilt)})

    by_openssl = verdict_on(pkpass, identity)
    monkeypatch.setenv("PATH", "")
    by_library = verdict_on(pkpass, identity)

    assert "signature.invalid" in codes(by_openssl)
    assert "verification failure" in by_openssl.reasons[0]
    assert "signature.invalid" in codes(by_library)


def test_a_certificate_that_is_not_for_passes_is_refused(authority: Authority, identity: PassCertificate) -> None:
    plain = authority.issue_pass_certificate(marked=False)

    assert "signature.marker" in codes(verdict_on(pack(card_json(plain), plain), identity))


def test_pass_strings_are_read_in_both_encodings_with_their_escapes() -> None:
    text = '/* a "comment" */\n"Say \\"hi\\"" = "Selam\\nde\\\\";\n// end\n"k"="ş";'

    for content in (text.encode("utf-16"), text.encode("utf-8")):
        assert parse_strings(content) == {'Say "hi"': "Selam\nde\\", "k": "ş"}


@pytest.mark.parametrize(
    "content",
    [b'"a" = "b"', b'"a" "b";', b'"a" = "b;', b'"say "hi"" = "b";', '"a"="b";'.encode("utf-16-le"), b"\xff\xfe\x00"],
)
def test_broken_pass_strings_are_refused(content: bytes) -> None:
    with pytest.raises(StringsError):
        parse_strings(content)


def test_a_broken_translation_and_a_missing_text_are_findings(identity: PassCertificate) -> None:
    extra = {"tr.lproj/pass.strings": b'"a" = "b"', "en.lproj/pass.strings": b'"a"="b";', "id.lproj/pass.strings": b""}

    assert {"strings.broken", "strings.missing"} <= codes(
        verdict_on(pack(card_json(identity), identity, extra=extra), identity)
    )


@pytest.mark.parametrize(
    ("wanted", "offered", "picked"),
    [
        ("tr-TR", ["en", "tr"], "tr"),
        ("de", ["en", "tr"], "en"),
        ("de", ["es"], "es"),
        ("de", ["es", "tr"], None),
        ("zh-Hans", ["zh-Hans", "en"], "zh-Hans"),
    ],
)
def test_the_language_is_picked_as_the_phone_does(wanted: str, offered: list[str], picked: str | None) -> None:
    assert pick_language(wanted, offered) == picked


def test_the_hashes_in_the_manifest_must_be_lower_case_sha1(identity: PassCertificate) -> None:
    files = _files(identity)
    others = {name: data for name, data in files.items() if name not in ("manifest.json", "signature")}
    manifest = json.dumps({name: hashlib.sha1(data).hexdigest().upper() for name, data in others.items()}).encode()
    pkpass = zip_of(others | {"manifest.json": manifest, "signature": sign(manifest, identity)})

    assert "manifest.hash" in codes(verdict_on(pkpass, identity))
