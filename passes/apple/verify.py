""".pkpass -> a report: digests, signature, chain of certificates."""

import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.x509.oid import NameOID

from passes.apple import bundle, cms, manifest
from passes.apple.cms import SignedData
from passes.apple.findings import Finding, Rulebook, Severity
from passes.apple.identity import PASS_SIGNING_PURPOSE, issued, pass_type_mark, subject_text
from passes.errors import BundleError, VerificationError

CLOCK_TOLERANCE = timedelta(minutes=5)
RULES = Rulebook()
ARCHIVE_UNREADABLE = RULES.error(
    "archive-unreadable", "Wallet cannot read the archive", "build the pass again as a plain ZIP of its files"
)
MISSING = RULES.error(
    "signature-missing", "Wallet refuses a pass without a signature", "sign the manifest with `tessera pass build`"
)
NOT_DER = RULES.error(
    "signature-not-der",
    "the signature must be a bare DER CMS structure, not PEM, S/MIME or anything else",
    "sign with DER as output format, and store the bytes as they are",
)
NOT_DETACHED = RULES.error(
    "signature-not-detached",
    "the signature carries the manifest inside itself, but must be detached",
    "sign with the detached option",
)
SIGNERS = RULES.error("signature-signers", "a pass has exactly one signer", "sign once, with the pass certificate")
NO_SIGNING_TIME = RULES.error(
    "signature-no-signing-time",
    "Wallet wants the signing time among the signed attributes",
    "sign with attributes; do not use an option that leaves them out",
)
ATTRIBUTES = RULES.error(
    "signature-attributes",
    "content type or message digest is missing from the signed attributes, or is wrong",
    "sign with a library that writes CMS signed attributes",
)
ATTRIBUTE_ORDER = RULES.error(
    "signature-attribute-order",
    "the signed attributes are not in DER order, which strict readers refuse",
    "sign with a library that writes DER, not BER",
)
MANIFEST_CHANGED = RULES.error(
    "signature-other-manifest",
    "the manifest is not the one that was signed (it was changed, re-serialised, or its line ends were converted)",
    "sign the exact bytes that are stored, in binary mode",
)
WRONG = RULES.error(
    "signature-wrong", "the signature was not made by the certificate's key", "sign with the key of this certificate"
)
WEAK_DIGEST = RULES.note(
    "signature-sha1", "the signature uses SHA-1, which Wallet still takes from older tools", "sign with SHA-256"
)
NO_CERTIFICATE = RULES.error(
    "signature-no-certificate", "the signer's certificate is not in the signature", "include the pass certificate"
)
NO_INTERMEDIATE = RULES.error(
    "signature-no-intermediate",
    "the intermediate that issued the certificate is not in the signature",
    "add Apple's WWDR intermediate that matches the certificate's issuer, after the signer was added",
)
UNTRUSTED = RULES.error(
    "chain-untrusted", "the chain does not lead to a trusted root", "sign with a certificate from that authority"
)
NOT_VALID = RULES.error(
    "certificate-not-valid",
    "a certificate of the chain is expired or not valid yet, so Wallet refuses new passes",
    "renew the pass certificate at Apple, keeping the identifier, and sign again",
)
SIGNED_OUTSIDE = RULES.warning(
    "signing-time-outside-validity",
    "the signing time lies outside the certificate's validity, or in the future",
    "set the clock of the signing machine",
)
NOT_FOR_PASSES = RULES.error(
    "certificate-not-for-passes",
    "the certificate is not marked for signing passes",
    "use a Pass Type ID certificate, not one for apps or pushes",
)
PASS_TYPE_DIFFERS = RULES.error(
    "pass-type-not-certificate",
    "passTypeIdentifier must equal the UID of the certificate",
    "put the certificate's pass type into pass.json, or sign with the right certificate",
)
TEAM_DIFFERS = RULES.error(
    "team-not-certificate",
    "teamIdentifier must equal the OU of the certificate",
    "put the certificate's team into pass.json, or sign with the right certificate",
)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What verification found.

    Attributes:
        trusted: the chain leads to one of the given roots; None if no root was given.
        signed_at: what the signer claims, with the rest of the signature.
    """

    findings: tuple[Finding, ...]
    trusted: bool | None = None
    signed_at: datetime | None = None
    certificate: x509.Certificate | None = None
    intermediate: x509.Certificate | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing was found for which Wallet would refuse the pass."""
        return all(finding.severity is not Severity.ERROR for finding in self.findings)


def verify(data: bytes, *, at: datetime, roots: Sequence[x509.Certificate] = ()) -> Report:
    """Verify digests, signature and chain of a .pkpass; never raises for any bytes.

    Args:
        at: aware, the moment at which the certificates must be valid.
        roots: trusted; without any, the chain is followed to the intermediate only.

    Source: Apple, Wallet Passes, "Building a Pass"; RFC 5652, section 5.
    """
    try:
        files = bundle.read(data)
    except BundleError as error:
        return Report(findings=(ARCHIVE_UNREADABLE.found(detail=str(error)),))
    return verify_files(files, at=at, roots=roots)


def verify_files(files: Mapping[str, bytes], *, at: datetime, roots: Sequence[x509.Certificate] = ()) -> Report:
    """Verify the files of an unpacked pass, as `verify` does."""
    findings = list(manifest.check(files))
    if "signature" not in files:
        return Report(findings=(*findings, MISSING.found()))
    try:
        signed = cms.parse(files["signature"])
    except VerificationError as error:
        return Report(findings=(*findings, NOT_DER.found("signature", str(error))))
    findings += _signature(signed, files.get("manifest.json", b""))
    leaf = signed.signer_certificate()
    intermediate = None
    trusted = None
    if leaf is None:
        findings.append(NO_CERTIFICATE.found("signature"))
    else:
        intermediate = next((one for one in signed.certificates if one != leaf and issued(one, leaf)), None)
        if roots:
            trusted = _is_trusted(leaf, signed.certificates, _valid(roots, at))
        findings += _certificates(signed, leaf, intermediate, at)
        findings += _identifiers(files.get("pass.json", b""), leaf)
    if trusted is False:
        findings.append(UNTRUSTED.found("signature"))
    return Report(
        findings=tuple(findings),
        trusted=trusted,
        signed_at=signed.signed_at,
        certificate=leaf,
        intermediate=intermediate,
    )


def _signature(signed: SignedData, content: bytes) -> Iterator[Finding]:
    if not signed.detached:
        yield NOT_DETACHED.found("signature")
    if signed.signers != 1:
        yield SIGNERS.found("signature", f"{signed.signers} signers")
    if signed.signed_at is None:
        yield NO_SIGNING_TIME.found("signature")
    if signed.message_digest is None or signed.content_type != cms.DATA:
        yield ATTRIBUTES.found("signature")
    elif not hmac.compare_digest(signed.message_digest, signed.digest_of(content)):
        yield MANIFEST_CHANGED.found("manifest.json")
    if not signed.attributes_in_order:
        yield ATTRIBUTE_ORDER.found("signature")
    if signed.digest_algorithm == "sha1":
        yield WEAK_DIGEST.found("signature")
    leaf = signed.signer_certificate()
    if leaf is not None and not signed.is_signed_by(leaf, content):
        yield WRONG.found("signature")


def _certificates(
    signed: SignedData, leaf: x509.Certificate, intermediate: x509.Certificate | None, at: datetime
) -> Iterator[Finding]:
    if intermediate is None:
        yield NO_INTERMEDIATE.found("signature", f"issuer {leaf.issuer.rfc4514_string()}")
    for what, one in (("the pass certificate", leaf), ("the intermediate", intermediate)):
        if one is not None and not one.not_valid_before_utc <= at <= one.not_valid_after_utc:
            span = f"{one.not_valid_before_utc:%Y-%m-%d} to {one.not_valid_after_utc:%Y-%m-%d}"
            yield NOT_VALID.found("signature", f"{what} is valid from {span}")
    if signed.signed_at is not None and not (
        leaf.not_valid_before_utc <= signed.signed_at <= min(leaf.not_valid_after_utc, at + CLOCK_TOLERANCE)
    ):
        yield SIGNED_OUTSIDE.found("signature", f"signed at {signed.signed_at:%Y-%m-%d %H:%M:%SZ}")
    if not _is_for_passes(leaf):
        yield NOT_FOR_PASSES.found("signature", leaf.subject.rfc4514_string())


def _is_for_passes(leaf: x509.Certificate) -> bool:
    if pass_type_mark(leaf) is not None:
        return True
    try:
        return PASS_SIGNING_PURPOSE in leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return False


def _valid(certificates: Sequence[x509.Certificate], at: datetime) -> list[x509.Certificate]:
    return [one for one in certificates if one.not_valid_before_utc <= at <= one.not_valid_after_utc]


def _is_trusted(leaf: x509.Certificate, others: Sequence[x509.Certificate], roots: Sequence[x509.Certificate]) -> bool:
    current, left = leaf, [one for one in others if one != leaf]
    while True:
        if any(issued(root, current) for root in roots):
            return True
        issuer = next((one for one in left if issued(one, current)), None)
        if issuer is None:
            return False
        left.remove(issuer)
        current = issuer


def _identifiers(pass_json: bytes, leaf: x509.Certificate) -> Iterator[Finding]:
    try:
        content = json.loads(pass_json)
    except (ValueError, RecursionError):
        return
    if not isinstance(content, dict):
        return
    for key, oid, rule in (
        ("passTypeIdentifier", NameOID.USER_ID, PASS_TYPE_DIFFERS),
        ("teamIdentifier", NameOID.ORGANIZATIONAL_UNIT_NAME, TEAM_DIFFERS),
    ):
        certified = subject_text(leaf, oid)
        if content.get(key) != certified:
            yield rule.found(f"pass.json: {key}", f"{str(content.get(key))[:80]!r} is not {certified!r}")
