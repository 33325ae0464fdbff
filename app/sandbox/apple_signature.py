"""Judges a pass signature as Wallet does: its structure, its certificates, its chain to a trusted root."""

import hashlib
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from asn1crypto import cms
from asn1crypto import core as asn1
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from app.sandbox.apple_findings import Findings
from app.sandbox.phone_time import utc_now

MARKER_EXTENSION = "1.2.840.113635.100.6.1.16"
HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303 - Wallet still takes it from older signers
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
CLOCK_TOLERANCE = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class SignatureReport:
    """What the phone can say about who signed the pass."""

    valid: bool
    judge: str
    signer: str = ""
    pass_type: str = ""
    team: str = ""
    organisation: str = ""
    issuer: str = ""
    valid_until: str = ""
    signed_at: str = ""
    digest: str = ""


@dataclass(frozen=True)
class _Signed:
    signer: Any
    leaf: x509.Certificate
    others: list[x509.Certificate]


def check_signature(signature: bytes, manifest: bytes, root_pem: bytes, findings: Findings) -> SignatureReport:
    """Verify the detached signature over the exact manifest bytes."""
    before = len(findings.fatal)
    signed = _parse(signature, findings)
    if signed is None:
        return SignatureReport(valid=False, judge="structure")
    signed_at = _check_attributes(signed, manifest, findings)
    _check_leaf(signed.leaf, findings)
    if len(signed.others) == 0:
        findings.refuse("signature.intermediate", "The signature does not hold the intermediate certificate.")
    judge = "openssl" if shutil.which("openssl") else "cryptography"
    fault = (_fault_by_openssl if judge == "openssl" else _fault_by_library)(signature, manifest, root_pem, signed)
    if fault:
        findings.refuse("signature.invalid", f"The manifest signature did not verify: {fault}.")
    return _report(signed, signed_at, judge=judge, valid=len(findings.fatal) == before)


def _parse(signature: bytes, findings: Findings) -> _Signed | None:
    if signature.lstrip()[:5] in (b"-----", b"MIME-"):
        findings.refuse("signature.pem", "The signature is text (PEM or S/MIME); Wallet wants DER.")
        return None
    try:
        content = cms.ContentInfo.load(signature, strict=True)
        if content["content_type"].native != "signed_data":
            findings.refuse("signature.kind", "The signature is no CMS SignedData.")
            return None
        data = content["content"]
        signers = list(data["signer_infos"])
        certificates = [x509.load_der_x509_certificate(item.chosen.dump()) for item in data["certificates"]]
        attached = data["encap_content_info"]["content"].native is not None
    except (ValueError, TypeError, KeyError) as error:
        findings.refuse("signature.broken", f"The signature cannot be read: {error}.")
        return None
    if attached:
        findings.refuse("signature.attached", "The signature holds the manifest; Wallet wants a detached one.")
    if len(signers) != 1:
        findings.refuse("signature.signers", f"The signature has {len(signers)} signers instead of one.")
        return None
    leaf = _find_leaf(signers[0], certificates)
    if leaf is None:
        findings.refuse("signature.leaf", "The signature does not hold the certificate that made it.")
        return None
    return _Signed(signers[0], leaf, [item for item in certificates if item != leaf])


def _find_leaf(signer: Any, certificates: list[x509.Certificate]) -> x509.Certificate | None:
    identifier = signer["sid"].chosen
    if not isinstance(identifier, cms.IssuerAndSerialNumber):
        return None
    issuer, serial = identifier["issuer"].dump(), identifier["serial_number"].native
    for certificate in certificates:
        if certificate.serial_number == serial and certificate.issuer.public_bytes() == issuer:
            return certificate
    return None


def _check_attributes(signed: _Signed, manifest: bytes, findings: Findings) -> datetime | None:
    attributes = signed.signer["signed_attrs"]
    found = {attribute["type"].native: attribute["values"] for attribute in attributes}
    digest_name = signed.signer["digest_algorithm"]["algorithm"].native
    if digest_name not in HASHES:
        findings.refuse("signature.digest", f"The signature uses {digest_name}.")
        return None
    if "content_type" not in found or "message_digest" not in found:
        findings.refuse("signature.attributes", "The signature lacks the content type or the message digest.")
        return None
    if found["message_digest"][0].native != hashlib.new(digest_name, manifest, usedforsecurity=False).digest():
        findings.refuse("signature.manifest", "The signature was made over other bytes than manifest.json.")
    encoded = [attribute.dump() for attribute in attributes]
    if encoded != sorted(encoded):
        findings.refuse("signature.order", "The signed attributes are not in DER order.")
    if "signing_time" not in found:
        findings.refuse("signature.time", "The signature has no signing time.")
        return None
    signed_at: datetime = found["signing_time"][0].native
    if signed_at > utc_now() + CLOCK_TOLERANCE:
        findings.defect("signature.future", f"The signing time {signed_at:%Y-%m-%d %H:%M} UTC lies in the future.")
    return signed_at


def _check_leaf(leaf: x509.Certificate, findings: Findings) -> None:
    now = utc_now()
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        findings.refuse(
            "signature.expired",
            f"leaf TemporalValidity: the certificate is valid from {leaf.not_valid_before_utc:%Y-%m-%d} "
            f"to {leaf.not_valid_after_utc:%Y-%m-%d}.",
        )
    marker = [item for item in leaf.extensions if item.oid.dotted_string == MARKER_EXTENSION]
    if not marker:
        findings.refuse("signature.marker", "LeafMarkerOid: the certificate is not one for signing passes.")
        return
    try:
        named = asn1.load(marker[0].value.public_bytes()).native
    except ValueError:
        named = None
    if named != _name(leaf, NameOID.USER_ID):
        findings.refuse(
            "signature.marker", f"The certificate's extension names {named!r}, its subject another pass type."
        )


def _name(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str:
    found = certificate.subject.get_attributes_for_oid(oid)
    return str(found[0].value) if found else ""


def _fault_by_openssl(signature: bytes, manifest: bytes, root_pem: bytes, signed: _Signed) -> str:
    del signed
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in (("signature", signature), ("manifest.json", manifest), ("root.pem", root_pem)):
            (folder / file).write_bytes(content)
        command: list[str | Path] = [
            "openssl",
            "cms",
            "-verify",
            "-binary",
            "-inform",
            "DER",
            "-in",
            folder / "signature",
        ]
        command += ["-content", folder / "manifest.json", "-CAfile", folder / "root.pem", "-no-CApath", "-no-CAstore"]
        command += ["-purpose", "any", "-out", folder / "content"]
        result = subprocess.run(command, capture_output=True, timeout=20, check=False)
    if result.returncode == 0:
        return ""
    return _openssl_reason(result.stderr.decode(errors="replace"))


def _openssl_reason(stderr: str) -> str:
    """The reason of the last error line: `id:error:code:library:function:reason:file:line:`, or its first line."""
    errors = [line.split(":") for line in stderr.splitlines() if ":error:" in line]
    reasons = [":".join(parts[5:]) for parts in errors if len(parts) > 6]
    detail = reasons[-1].rpartition("Verify error:")[2].split(":")[0] if reasons else ""
    return detail or "openssl refused it"


def _fault_by_library(signature: bytes, manifest: bytes, root_pem: bytes, signed: _Signed) -> str:
    del signature, manifest  # the digest of the manifest is compared with the signed attribute beforehand
    try:
        attributes = signed.signer["signed_attrs"].untag().dump()
        algorithm = HASHES[signed.signer["digest_algorithm"]["algorithm"].native]
        _verify(signed.leaf.public_key(), signed.signer["signature"].native, attributes, algorithm)
    except (InvalidSignature, ValueError, TypeError, KeyError):
        return "the signature does not fit the certificate's key"
    roots = x509.load_pem_x509_certificates(root_pem)
    return "" if _chains(signed.leaf, signed.others, roots) else "unable to get local issuer certificate"


def _verify(key: Any, signature: bytes, content: bytes, algorithm: hashes.HashAlgorithm) -> None:
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, content, padding.PKCS1v15(), algorithm)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, content, ec.ECDSA(algorithm))
    else:
        raise ValueError("neither RSA nor EC")


def _chains(leaf: x509.Certificate, others: list[x509.Certificate], roots: list[x509.Certificate]) -> bool:
    now = utc_now()
    if any(_issued(leaf, root) for root in roots):
        return True
    for index, issuer in enumerate(others):
        in_time = issuer.not_valid_before_utc <= now <= issuer.not_valid_after_utc
        rest = others[:index] + others[index + 1 :]
        if in_time and _is_authority(issuer) and _issued(leaf, issuer) and _chains(issuer, rest, roots):
            return True
    return False


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except x509.ExtensionNotFound:
        return False


def _report(signed: _Signed, signed_at: datetime | None, *, judge: str, valid: bool) -> SignatureReport:
    leaf = signed.leaf
    issuer = leaf.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
    return SignatureReport(
        valid=valid,
        judge=judge,
        signer=_name(leaf, NameOID.COMMON_NAME),
        pass_type=_name(leaf, NameOID.USER_ID),
        team=_name(leaf, NameOID.ORGANIZATIONAL_UNIT_NAME),
        organisation=_name(leaf, NameOID.ORGANIZATION_NAME),
        issuer=str(issuer[0].value) if issuer else "",
        valid_until=leaf.not_valid_after_utc.isoformat(),
        signed_at=signed_at.isoformat() if signed_at else "",
        digest=signed.signer["digest_algorithm"]["algorithm"].native,
    )
