"""One planted fault for each code: the fault is found, and the untouched pass has none."""

import base64
import json
import zipfile
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, pkcs7
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.apple import building, der, strings
from passes.apple.findings import Severity
from passes.apple.identity import Identity
from passes.apple.lint import CATALOGUE, lint
from passes.apple.lint.schema import FIELD, NESTED, TOP
from passes.apple.signing import Signer
from tests.authority import Authority
from tests.passes.apple.samples import IMAGES, NOW, PASS_TYPE, TEAM, card, document, manifest_of, png, zipped

Files = dict[str, bytes]
Plant = Callable[["Bench"], bytes]
P256 = base64.b64encode(
    ec.derive_private_key(7, ec.SECP256R1()).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()
DATED = {"dateStyle": "PKDateStyleShort", "timeStyle": "PKDateStyleShort"}
QR = {"format": "PKBarcodeFormatQR", "message": "7K3M", "messageEncoding": "iso-8859-1"}


class Bench:
    """Makes passes with one thing wrong, sealed as well as the fault allows."""

    def __init__(self, signer: Signer, authority: Authority) -> None:
        self.signer = signer
        self.authority = authority

    def files(self, **changes: Any) -> Files:
        return {**IMAGES, "pass.json": json.dumps(document(**changes)).encode()}

    def seal(self, files: Mapping[str, bytes], **late: bytes) -> bytes:
        manifest = late.get("manifest", manifest_of(files))
        signature = late.get("signature", self.signer.sign(manifest, at=NOW))
        return zipped({**files, "manifest.json": manifest, "signature": signature})

    def with_json(self, **changes: Any) -> bytes:
        return self.seal(self.files(**changes))

    def with_field(self, group: str = "headerFields", **keys: Any) -> bytes:
        field = {"key": "x", "value": "v"} | keys
        return self.with_json(storeCard={group: [{k: v for k, v in field.items() if v is not ...}]})

    def with_file(self, name: str, data: bytes, **changes: Any) -> bytes:
        return self.seal({**self.files(**changes), name: data})

    def with_raw(self, pass_json: bytes) -> bytes:
        return self.seal({**IMAGES, "pass.json": pass_json})

    def with_signature(self, change: Callable[[bytes], bytes]) -> bytes:
        files = self.files()
        manifest = manifest_of(files)
        return self.seal(files, manifest=manifest, signature=change(self.signer.sign(manifest, at=NOW)))

    def without(self, *names: str) -> bytes:
        files = self.files()
        return self.seal({name: data for name, data in files.items() if name not in names})

    def signed_by(self, certificate: Any, at: datetime = NOW) -> bytes:
        made = Signer.prepare(building_identity(certificate.certificate, certificate.key, certificate.intermediate))
        files = self.files()
        manifest = manifest_of(files)
        return self.seal(files, manifest=manifest, signature=made.sign(manifest, at=at))

    def built_with(
        self, *options: pkcs7.PKCS7Options, intermediate: bool = True, form: Encoding = Encoding.DER
    ) -> bytes:
        files = self.files()
        manifest = manifest_of(files)
        own = self.signer.identity
        builder = pkcs7.PKCS7SignatureBuilder().set_data(manifest).add_signer(own.certificate, own.key, SHA256())
        if intermediate:
            builder = builder.add_certificate(own.intermediate)
        return self.seal(files, manifest=manifest, signature=builder.sign(form, list(options)))

    def restructured(
        self, change: Callable[[list[der.Node], list[der.Node]], tuple[list[bytes], list[bytes]]]
    ) -> bytes:
        """Take the signature apart into SignedData and SignerInfo, and join what `change` makes of the parts."""

        def apart(signature: bytes) -> bytes:
            kind, content = der.children(der.read(signature))
            signed = der.children(der.children(content, der.CONTEXT_0)[0])
            info = der.children(der.children(signed[-1], der.SET)[0])
            outer, inner = change(signed, info)
            made = der.tlv(der.SET, der.tlv(der.SEQUENCE, *inner)) if inner else b""
            whole = der.tlv(der.SEQUENCE, *outer, made)
            return der.tlv(der.SEQUENCE, kind.raw, der.tlv(der.CONTEXT_0, whole))

        return self.with_signature(apart)


def building_identity(certificate: Any, key: Any, intermediate: Any) -> Any:
    return Identity(
        certificate=certificate,
        key=key,
        intermediate=intermediate,
        pass_type_identifier=PASS_TYPE,
        team_identifier=TEAM,
    )


def raws(nodes: list[der.Node]) -> list[bytes]:
    return [node.raw for node in nodes]


def two_signers(signed: list[der.Node], info: list[der.Node]) -> tuple[list[bytes], list[bytes]]:
    one = der.tlv(der.SEQUENCE, *raws(info))
    return [*raws(signed[:-1]), der.tlv(der.SET, one, one)], []


def other_attributes(keep: Callable[[list[bytes]], list[bytes]]) -> Any:
    def change(signed: list[der.Node], info: list[der.Node]) -> tuple[list[bytes], list[bytes]]:
        attributes = der.tlv(der.CONTEXT_0, *keep(raws(der.children(info[3], der.CONTEXT_0))))
        return raws(signed[:-1]), [*raws(info[:3]), attributes, *raws(info[4:])]

    return change


def only_certificate(which: int) -> Any:
    def change(signed: list[der.Node], info: list[der.Node]) -> tuple[list[bytes], list[bytes]]:
        kept = der.tlv(der.CONTEXT_0, der.children(signed[3], der.CONTEXT_0)[which].raw)
        return [*raws(signed[:3]), kept], raws(info)

    return change


def leaf_place(bench: Bench) -> int:
    """Where the pass certificate stands in the SET of the two."""
    own = bench.signer.identity
    encoded = sorted(one.public_bytes(Encoding.DER) for one in (own.certificate, own.intermediate))
    return encoded.index(own.certificate.public_bytes(Encoding.DER))


def sha1_digest(signed: list[der.Node], info: list[der.Node]) -> tuple[list[bytes], list[bytes]]:
    sha1 = der.tlv(der.SEQUENCE, der.oid("1.3.14.3.2.26"), der.tlv(der.NULL))
    return [signed[0].raw, der.tlv(der.SET, sha1), *raws(signed[2:-1])], [*raws(info[:2]), sha1, *raws(info[3:])]


def streamed(data: bytes) -> bytes:
    """The archive as a tool writes it to a pipe: sizes behind the data."""

    class Pipe(BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise OSError

        def tell(self) -> int:
            raise OSError

    sink = Pipe()
    with zipfile.ZipFile(BytesIO(data)) as source, zipfile.ZipFile(sink, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    return sink.getvalue()


def with_entry(data: bytes, name: str, content: bytes, *, link: bool = False) -> bytes:
    sink = BytesIO(data)
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (0o120777 if link else 0o100644) << 16
    warned = pytest.warns(UserWarning, match="Duplicate") if name == "pass.json" else nullcontext()
    with zipfile.ZipFile(sink, "a") as archive, warned:
        archive.writestr(info, content)
    return sink.getvalue()


def strings_utf16(**pairs: str) -> bytes:
    return strings.write(pairs)


PLANTED: dict[str, Plant] = {
    "archive-unreadable": lambda b: b.with_json()[:-30],
    "archive-parent-folder": lambda b: zipped({f"card/{name}": data for name, data in b.files().items()}),
    "archive-large": lambda b: b.with_file("logo.png", png(160, 50, extra=bytes(310_000))),
    "entry-link": lambda b: with_entry(b.with_json(), "logo@3x.png", b"logo@2x.png", link=True),
    "entry-duplicate": lambda b: with_entry(b.with_json(), "pass.json", b"{}"),
    "entry-junk": lambda b: with_entry(b.with_json(), ".DS_Store", b"x"),
    "entry-name": lambda b: with_entry(b.with_json(), "../evil.png", b"x"),
    "entry-data-descriptor": lambda b: streamed(b.with_json()),
    "language-folder": lambda b: b.with_file("zh-hans.lproj/pass.strings", strings_utf16(Points="点")),
    "pass-json-missing": lambda b: b.without("pass.json"),
    "pass-json-invalid": lambda b: b.with_raw(b'{"formatVersion": 1, /* comment */ }'),
    "pass-json-byte-order-mark": lambda b: b.with_raw(b"\xef\xbb\xbf" + b.files()["pass.json"]),
    "pass-json-key-twice": lambda b: b.with_raw(b.files()["pass.json"][:-1] + b', "voided": true, "voided": false}'),
    "key-unknown": lambda b: b.with_json(backgroundColour="rgb(1,2,3)"),
    "key-without-effect": lambda b: b.with_json(groupingIdentifier="x"),
    "value-null": lambda b: b.with_field(label=None),
    "text-for-number": lambda b: b.with_json(associatedStoreIdentifiers=["123456"]),
    "object-for-array": lambda b: b.with_json(barcodes=QR),
    "value-type": lambda b: b.with_json(serialNumber=12345678),
    "value-unknown": lambda b: b.with_field(value=1, numberStyle="PKNumberStyleDecimals"),
    "key-required": lambda b: b.with_json(organizationName=None),
    "value-empty": lambda b: b.with_json(description="  "),
    "format-version": lambda b: b.with_json(formatVersion=2),
    "pass-type-form": lambda b: b.with_json(passTypeIdentifier="com.example.card"),
    "team-form": lambda b: b.with_json(teamIdentifier="my team"),
    "serial-form": lambda b: b.with_json(serialNumber="a/b/c/d/e"),
    "serial-short": lambda b: b.with_json(serialNumber="7"),
    "web-service-url-invalid": lambda b: b.with_json(webServiceURL="cards.example.com"),
    "web-service-url-insecure": lambda b: b.with_json(webServiceURL="http://cards.example.com"),
    "web-service-url-local": lambda b: b.with_json(webServiceURL="http://127.0.0.1:8080/apple"),
    "web-service-url-v1": lambda b: b.with_json(webServiceURL="https://cards.example.com/v1"),
    "web-service-url-slash": lambda b: b.with_json(webServiceURL="https://cards.example.com/apple/"),
    "web-service-url-without-token": lambda b: b.with_json(authenticationToken=None),
    "token-without-web-service-url": lambda b: b.with_json(webServiceURL=None),
    "token-short": lambda b: b.with_json(authenticationToken="123456789012345"),
    "token-form": lambda b: b.with_json(authenticationToken="0123456789 abcdef"),
    "style-missing": lambda b: b.with_json(storeCard=None),
    "style-several": lambda b: b.with_json(coupon={}),
    "style-poster-alone": lambda b: b.with_json(storeCard=None, posterGeneric={}),
    "header-fields-many": lambda b: b.with_json(storeCard={"headerFields": fields(4)}),
    "primary-fields-many": lambda b: b.with_json(storeCard={"primaryFields": fields(2)}),
    "row-fields-many": lambda b: b.with_json(
        storeCard={"secondaryFields": fields(3), "auxiliaryFields": fields(2, "a")}
    ),
    "header-crowded": lambda b: b.with_json(logoText="The house of coffee and more"),
    "front-text-long": lambda b: b.with_field(value="x" * 90),
    "field-key-missing": lambda b: b.with_field(key=...),
    "field-key-twice": lambda b: b.with_json(storeCard={"headerFields": fields(1), "backFields": fields(1)}),
    "field-value-missing": lambda b: b.with_field(value=...),
    "field-row": lambda b: b.with_field("auxiliaryFields", row=1),
    "change-message-placeholder": lambda b: b.with_field(changeMessage="Your points changed"),
    "attributed-value-markup": lambda b: b.with_field("backFields", attributedValue="<b>bold</b>"),
    "attributed-value-watch": lambda b: b.with_field(attributedValue="<a href='https://example.com'>x</a>"),
    "currency-code": lambda b: b.with_field(value=12, currencyCode="euro"),
    "currency-value": lambda b: b.with_field(value="12.50", currencyCode="EUR"),
    "currency-and-number-style": lambda b: b.with_field(
        value=12, currencyCode="EUR", numberStyle="PKNumberStyleDecimal"
    ),
    "number-style-value": lambda b: b.with_field(value="twelve", numberStyle="PKNumberStyleDecimal"),
    "number-imprecise": lambda b: b.with_field(value=0.07 * 100),
    "date-style-single": lambda b: b.with_field(value="2027-01-01T00:00:00Z", dateStyle="PKDateStyleShort"),
    "date-style-value": lambda b: b.with_field(value="soon", **DATED),
    "date-invalid": lambda b: b.with_field(value="2027-02-30T00:00:00+0000", **DATED),
    "date-without-zone": lambda b: b.with_json(expirationDate="2027-01-01T00:00:00"),
    "data-detectors-front": lambda b: b.with_field(dataDetectorTypes=[]),
    "text-alignment-group": lambda b: b.with_field("backFields", textAlignment="PKTextAlignmentLeft"),
    "expired": lambda b: b.with_json(expirationDate="2026-11-20T00:00:00Z"),
    "relevant-date-unsupported": lambda b: b.with_json(relevantDate="2027-01-01T00:00:00Z"),
    "relevant-date-incomplete": lambda b: b.with_json(relevantDates=[{"startDate": "2027-01-01T00:00:00Z"}]),
    "relevant-date-span": lambda b: b.with_json(
        relevantDates=[{"startDate": "2027-01-01T00:00:00Z", "endDate": "2027-01-03T00:00:00Z"}]
    ),
    "barcode-incomplete": lambda b: b.with_json(barcodes=[{"format": "PKBarcodeFormatQR", "message": "x"}]),
    "barcode-not-encodable": lambda b: b.with_json(barcodes=[QR | {"message": "Öğle €5"}]),
    "barcode-content": lambda b: b.with_json(
        barcodes=[QR | {"format": "PKBarcodeFormatEAN13", "message": "4006381333932"}, QR]
    ),
    "barcodes-ios27-only": lambda b: b.with_json(barcodes=[QR | {"format": "PKBarcodeFormatI2of5", "message": "12"}]),
    "barcodes-watch-none": lambda b: b.with_json(barcodes=[QR | {"format": "PKBarcodeFormatCode128"}]),
    "barcodes-order": lambda b: b.with_json(barcodes=[QR, QR | {"format": "PKBarcodeFormatCode128"}]),
    "barcode-deprecated": lambda b: b.with_json(barcode=QR),
    "barcode-legacy-format": lambda b: b.with_json(barcode=QR | {"format": "PKBarcodeFormatCode128"}, barcodes=[QR]),
    "barcode-utf-8": lambda b: b.with_json(barcodes=[QR | {"message": "Öğle", "messageEncoding": "utf-8"}]),
    "barcode-long": lambda b: b.with_json(barcodes=[QR | {"message": "x" * 201}]),
    "locations-many": lambda b: b.with_json(locations=[{"latitude": 1, "longitude": 1}] * 11),
    "location-incomplete": lambda b: b.with_json(locations=[{"latitude": 1}]),
    "location-range": lambda b: b.with_json(locations=[{"latitude": 95, "longitude": 1}]),
    "relevant-text-organization": lambda b: b.with_json(
        locations=[{"latitude": 1, "longitude": 1, "relevantText": "Cafe"}]
    ),
    "max-distance-range": lambda b: b.with_json(maxDistance=-1),
    "beacons-many": lambda b: b.with_json(beacons=[{"proximityUUID": "0" * 8 + "-0000" * 3 + "-" + "0" * 12}] * 11),
    "beacon-uuid": lambda b: b.with_json(beacons=[{"major": 1}]),
    "beacon-number": lambda b: b.with_json(
        beacons=[{"proximityUUID": "0" * 8 + "-0000" * 3 + "-" + "0" * 12, "minor": 65536}]
    ),
    "colour-invalid": lambda b: b.with_json(backgroundColor="teal"),
    "colour-hex": lambda b: b.with_json(backgroundColor="#123456"),
    "app-launch-without-app": lambda b: b.with_json(appLaunchURL="cafe:open"),
    "semantics-amount": lambda b: b.with_json(semantics={"balance": {"amount": 12.5, "currencyCode": "EUR"}}),
    "nfc-certificate": lambda b: b.with_json(nfc={"message": "x", "encryptionPublicKey": P256}),
    "nfc-incomplete": lambda b: b.with_json(nfc={"message": "x"}),
    "nfc-message-long": lambda b: b.with_json(nfc={"message": "é" * 33, "encryptionPublicKey": P256}),
    "nfc-key": lambda b: b.with_json(nfc={"message": "x", "encryptionPublicKey": "AAAA"}),
    "nfc-sharing": lambda b: b.with_json(
        nfc={"message": "x", "encryptionPublicKey": P256, "requiresAuthentication": True}
    ),
    "personalization-invalid": lambda b: b.with_file("personalization.json", b'{"description": "x"}'),
    "featured-actions-many": lambda b: b.with_json(
        featuredActions=[{"identifier": str(i), "type": "shop", "url": "https://example.com"} for i in range(3)]
    ),
    "featured-action-incomplete": lambda b: b.with_json(featuredActions=[{"identifier": "1", "type": "shop"}]),
    "icon-missing": lambda b: b.without("icon.png", "icon@2x.png", "icon@3x.png"),
    "icon-scales": lambda b: b.without("icon@3x.png"),
    "image-unreadable": lambda b: b.with_file("logo.png", b"GIF89a"),
    "image-unknown": lambda b: b.with_file("Logo.png", png(160, 50)),
    "image-size": lambda b: b.with_file("strip.png", png(300, 100)),
    "image-style": lambda b: b.with_file("thumbnail.png", png(90, 90)),
    "image-overrides-localized": lambda b: b.with_file("tr.lproj/logo@2x.png", png(320, 100)),
    "image-localized": lambda b: b.with_file("tr.lproj/logo@3x.png", png(480, 150)),
    "image-pdf": lambda b: b.with_file("logo.pdf", b"%PDF"),
    "poster-artwork-missing": lambda b: b.with_json(posterGeneric={}),
    "strings-unreadable": lambda b: b.with_file("tr.lproj/pass.strings", b'"Points" = "Pu"an";'),
    "strings-byte-order-mark": lambda b: b.with_file("tr.lproj/pass.strings", '"Points" = "Puan";'.encode("utf-16-le")),
    "strings-utf-8": lambda b: b.with_file("tr.lproj/pass.strings", '"Points" = "Bakiye ğ";'.encode()),
    "strings-keys-differ": lambda b: b.seal(
        {
            **b.files(),
            "tr.lproj/pass.strings": strings_utf16(Points="Puan", Cafe="Kahve"),
            "id.lproj/pass.strings": strings_utf16(Points="Poin"),
        }
    ),
    "strings-key-twice": lambda b: b.with_file("tr.lproj/pass.strings", b'"Points" = "a";\n"Points" = "b";'),
    "strings-key-unused": lambda b: b.with_file("tr.lproj/pass.strings", strings_utf16(Point="Puan")),
    "language-single": lambda b: b.with_file("tr.lproj/pass.strings", strings_utf16(Points="Puan")),
    "manifest-missing": lambda b: zipped({**b.files(), "signature": b.signer.sign(b"", at=NOW)}),
    "manifest-invalid": lambda b: b.seal(b.files(), manifest=b"[]"),
    "manifest-not-sha1": lambda b: b.seal(b.files(), manifest=manifest_of(b.files()).replace(b'": "', b'": "00', 1)),
    "manifest-lacks-file": lambda b: with_entry(b.with_json(), "logo@3x.png", png(480, 150)),
    "manifest-names-absent-file": lambda b: b.seal(b.files(), manifest=manifest_of({**b.files(), "logo@3x.png": b""})),
    "manifest-names-itself": lambda b: b.seal(b.files(), manifest=manifest_of({**b.files(), "signature": b""})),
    "manifest-digest-wrong": lambda b: b.seal(
        {**b.files(), "logo@2x.png": png(320, 99)}, manifest=manifest_of(b.files())
    ),
    "signature-missing": lambda b: zipped({**b.files(), "manifest.json": manifest_of(b.files())}),
    "signature-not-der": lambda b: b.built_with(
        pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary, form=Encoding.PEM
    ),
    "signature-not-detached": lambda b: b.built_with(pkcs7.PKCS7Options.Binary),
    "signature-signers": lambda b: b.restructured(two_signers),
    "signature-no-signing-time": lambda b: b.built_with(
        pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoAttributes
    ),
    "signature-attributes": lambda b: b.restructured(other_attributes(lambda kept: kept[:2])),
    "signature-attribute-order": lambda b: b.restructured(other_attributes(lambda kept: kept[::-1])),
    "signature-other-manifest": lambda b: b.seal(
        b.files(), signature=b.signer.sign(manifest_of(b.files()) + b"\n", at=NOW)
    ),
    "signature-wrong": lambda b: b.with_signature(lambda signature: signature[:-1] + bytes([signature[-1] ^ 1])),
    "signature-sha1": lambda b: b.restructured(sha1_digest),
    "signature-no-certificate": lambda b: b.restructured(only_certificate(1 - leaf_place(b))),
    "signature-no-intermediate": lambda b: b.restructured(only_certificate(leaf_place(b))),
    "certificate-not-valid": lambda b: b.signed_by(
        b.authority.issue_pass_certificate(PASS_TYPE, TEAM, NOW - timedelta(days=9), NOW - timedelta(seconds=1)),
        at=NOW - timedelta(hours=1),
    ),
    "signing-time-outside-validity": lambda b: b.seal(
        b.files(), signature=b.signer.sign(manifest_of(b.files()), at=NOW + timedelta(hours=1))
    ),
    "certificate-not-for-passes": lambda b: b.signed_by(
        b.authority.issue_pass_certificate(PASS_TYPE, TEAM, marked=False)
    ),
    "pass-type-not-certificate": lambda b: b.with_json(passTypeIdentifier="pass.com.example.other"),
    "team-not-certificate": lambda b: b.with_json(teamIdentifier="OTHER12345"),
}
# Needs a root, so it has a test of its own.
ELSEWHERE = {"chain-untrusted"}


def fields(count: int, name: str = "f") -> list[dict[str, str]]:
    return [{"key": f"{name}{i}", "value": "v"} for i in range(count)]


@pytest.fixture(scope="module")
def bench(signer: Signer, authority: Authority) -> Bench:
    return Bench(signer, authority)


@pytest.mark.parametrize("code", sorted(PLANTED))
def test_the_planted_fault_is_found(code: str, bench: Bench) -> None:
    found = lint(PLANTED[code](bench), at=NOW)

    matching = [finding for finding in found if finding.code == code]
    assert matching, [finding.code for finding in found]
    assert all(finding.message and finding.hint for finding in matching)
    assert {finding.severity for finding in matching} == {CATALOGUE[code].severity}


def test_every_code_has_a_planted_fault_and_words_for_it() -> None:
    assert set(PLANTED) | ELSEWHERE == set(CATALOGUE)
    for rule in CATALOGUE.values():
        assert len(rule.meaning) > 15
        assert len(rule.hint) > 3
        assert rule.meaning[-1] not in ".!"


def test_the_untouched_pass_has_no_findings(bench: Bench) -> None:
    assert lint(bench.with_json(), at=NOW, roots=[bench.authority.root]) == ()


def test_a_pass_of_ours_has_no_errors_and_no_warnings(signer: Signer, artwork: Any, authority: Authority) -> None:
    data = building.build(card(), artwork, signer, at=NOW)

    found = lint(data, at=NOW, roots=[authority.root])

    assert [finding for finding in found if finding.severity is not Severity.NOTE] == []


def test_another_root_is_not_trusted(bench: Bench, stranger: Authority) -> None:
    codes = {finding.code for finding in lint(bench.with_json(), at=NOW, roots=[stranger.root])}

    assert codes == {"chain-untrusted"}


def test_the_nearest_spelling_is_suggested(bench: Bench) -> None:
    [finding] = lint(bench.with_json(backgroundColour="rgb(1,2,3)"), at=NOW)

    assert finding.hint == "write backgroundColor"


def test_nfc_is_accepted_with_the_certificate_for_it(bench: Bench) -> None:
    data = bench.with_json(nfc={"message": "x", "encryptionPublicKey": P256})

    assert lint(data, at=NOW, nfc_certificate=True) == ()


def test_errors_come_first(bench: Bench) -> None:
    found = lint(bench.with_json(serialNumber="7", formatVersion=2), at=NOW)

    assert [finding.severity for finding in found] == [Severity.ERROR, Severity.NOTE]


def test_words_from_the_file_cannot_drive_a_terminal(bench: Bench) -> None:
    found = lint(bench.with_json(**{"\x1b[31mred\ud800": 1}), at=NOW)

    assert found[0].code == "key-unknown"
    assert all(part.isprintable() for part in (found[0].where, found[0].message))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_answered_with_findings(data: bytes) -> None:
    assert lint(data, at=NOW)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
known_keys = st.sampled_from([*TOP, *NESTED, "storeCard", "semantics"])
inner_keys = st.sampled_from([*FIELD, *(key for keys in NESTED.values() for key in keys), "headerFields", "balance"])
shaped = st.dictionaries(
    inner_keys, json_values | st.lists(st.dictionaries(inner_keys, json_values, max_size=4), max_size=3), max_size=4
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(known_keys, json_values | shaped | st.lists(shaped, max_size=3), max_size=6))
def test_any_document_is_answered_with_findings(content: dict[str, Any]) -> None:
    assert lint(zipped({"pass.json": json.dumps(content).encode()}), at=NOW)


@pytest.mark.parametrize(
    "text",
    [
        b'{"maxDistance": 1e999999999}',
        b'{"maxDistance": ' + b"9" * 5000 + b"}",
        b'{"userInfo": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"beacons": [{"minor": NaN}]}',
        b'{"description": "\\ud800"}',
        b"\xff\xfe\x00",
    ],
)
def test_hostile_json_is_answered_quickly(text: bytes) -> None:
    assert lint(zipped({"pass.json": text}), at=NOW)


def test_a_million_faults_are_not_all_listed() -> None:
    text = json.dumps({f"key{i}": i for i in range(20_000)}).encode()

    assert len(lint(zipped({"pass.json": text}), at=NOW)) < 1_000
