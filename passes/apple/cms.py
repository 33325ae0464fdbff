"""Reading a detached CMS signature, strictly and within bounds.

`cryptography` signs CMS but does not verify it, so the few structures that a pass uses are read here.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from passes.apple import der
from passes.apple.der import Node
from passes.apple.identity import read_certificate
from passes.errors import VerificationError

SIGNATURE_BYTES_MAX = 64 * 1024
CERTIFICATES_MAX = 10
DATA = "1.2.840.113549.1.7.1"
_SIGNED_DATA = "1.2.840.113549.1.7.2"
_NULL = b"\x05\x00"
_CONTENT_TYPE = "1.2.840.113549.1.9.3"
_MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
_SIGNING_TIME = "1.2.840.113549.1.9.5"
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "1.3.14.3.2.26": hashes.SHA1(),  # noqa: S303 - only read, and reported as weak
    "2.16.840.1.101.3.4.2.1": hashes.SHA256(),
    "2.16.840.1.101.3.4.2.2": hashes.SHA384(),
    "2.16.840.1.101.3.4.2.3": hashes.SHA512(),
}
_PLAIN_RSA = "1.2.840.113549.1.1.1"
_RSA = {"1.2.840.113549.1.1.5": "sha1", "1.2.840.113549.1.1.11": "sha256"} | {
    "1.2.840.113549.1.1.12": "sha384",
    "1.2.840.113549.1.1.13": "sha512",
}
_ECDSA = {"1.2.840.10045.4.1": "sha1", "1.2.840.10045.4.3.2": "sha256"} | {
    "1.2.840.10045.4.3.3": "sha384",
    "1.2.840.10045.4.3.4": "sha512",
}


@dataclass(frozen=True, kw_only=True)
class SignedData:
    """The parts of a signature that matter; nothing in it has been verified yet.

    Attributes:
        detached: the signed bytes are not inside.
        signers: how many there are; the other attributes speak of the first.
        content_type, message_digest, signed_at: the signed attributes, None where missing.
        attributes_in_order: the signed attributes stand as DER demands.
    """

    detached: bool
    certificates: tuple[x509.Certificate, ...]
    signers: int
    digest_algorithm: str
    content_type: str | None
    message_digest: bytes | None
    signed_at: datetime | None
    attributes_in_order: bool
    _signer_id: tuple[bytes, int] | bytes = field(repr=False)
    _attributes: bytes | None = field(repr=False)
    _hash: hashes.HashAlgorithm = field(repr=False)
    _signature_algorithm: str = field(repr=False)
    _signature: bytes = field(repr=False)

    def signer_certificate(self) -> x509.Certificate | None:
        """The certificate among those inside that the signer names; None if it is not there."""
        return next((one for one in self.certificates if _names(self._signer_id, one)), None)

    def digest_of(self, content: bytes) -> bytes:
        """The digest that `message_digest` must equal."""
        return hashlib.new(self._hash.name, content, usedforsecurity=False).digest()

    def is_signed_by(self, certificate: x509.Certificate, content: bytes) -> bool:
        """Whether a certificate's key made the signature, over the attributes or, without them, over the content."""
        signed = content if self._attributes is None else self._attributes
        try:
            key = certificate.public_key()
            if isinstance(key, rsa.RSAPublicKey) and self._algorithm_is(_RSA, _PLAIN_RSA):
                key.verify(self._signature, signed, PKCS1v15(), self._hash)
                return True
            if isinstance(key, ec.EllipticCurvePublicKey) and self._algorithm_is(_ECDSA):
                key.verify(self._signature, signed, ec.ECDSA(self._hash))
                return True
        except (InvalidSignature, ValueError, UnsupportedAlgorithm):
            return False
        return False

    def _algorithm_is(self, family: dict[str, str], plain: str | None = None) -> bool:
        return self._signature_algorithm == plain or family.get(self._signature_algorithm) == self._hash.name


def parse(data: bytes) -> SignedData:
    """Read a signature.

    Raises: VerificationError, for anything that is not a DER SignedData with known algorithms.
    """
    if len(data) > SIGNATURE_BYTES_MAX:
        raise VerificationError(f"the signature has {len(data):,} bytes; at most {SIGNATURE_BYTES_MAX:,} are read")
    outer = _exactly(der.children(der.read(data)), 2)
    if der.to_oid(outer[0]) != _SIGNED_DATA:
        raise VerificationError("the structure is not CMS SignedData")
    signed = _exactly(der.children(outer[1], der.CONTEXT_0), 1)[0]
    parts = der.children(signed)
    if len(parts) < 4 or der.to_int(parts[0]) not in {1, 3}:
        raise VerificationError("the SignedData lacks parts or has an unknown version")
    digests = {_algorithm(one) for one in der.children(parts[1], der.SET)}
    content = der.children(parts[2])
    if not 1 <= len(content) <= 2 or der.to_oid(content[0]) != DATA:
        raise VerificationError("the SignedData does not sign plain data")
    optional = {part.tag: part for part in parts[3:-1]}
    if len(optional) != len(parts) - 4 or not optional.keys() <= {der.CONTEXT_0, der.CONTEXT_1}:
        raise VerificationError("the SignedData has unknown parts")
    signers = der.children(parts[-1], der.SET)
    if not signers:
        raise VerificationError("nobody signed")
    signed_data = _signed_data(
        signers, detached=len(content) == 1, certificates=_certificates(optional.get(der.CONTEXT_0))
    )
    if signed_data.digest_algorithm not in {_HASHES[name].name for name in digests & _HASHES.keys()}:
        raise VerificationError("the signer's digest algorithm is not announced")
    return signed_data


def _signed_data(signers: list[Node], *, detached: bool, certificates: tuple[x509.Certificate, ...]) -> SignedData:
    parts = der.children(signers[0])
    if len(parts) < 5 or der.to_int(parts[0]) not in {1, 3}:
        raise VerificationError("the SignerInfo lacks parts or has an unknown version")
    has_attributes = parts[3].tag == der.CONTEXT_0
    rest = parts[4:] if has_attributes else parts[3:]
    if not 2 <= len(rest) <= 3 or (len(rest) == 3 and rest[2].tag != der.CONTEXT_1):
        raise VerificationError("the SignerInfo has unknown parts")
    digest_algorithm = _algorithm(parts[2])
    if digest_algorithm not in _HASHES:
        raise VerificationError(f"the digest algorithm {digest_algorithm} is not used for passes")
    attributes = der.children(parts[3], der.CONTEXT_0) if has_attributes else []
    values = _attribute_values(attributes)
    raw = [one.raw for one in attributes]
    return SignedData(
        detached=detached,
        certificates=certificates,
        signers=len(signers),
        digest_algorithm=_HASHES[digest_algorithm].name,
        content_type=der.to_oid(values[_CONTENT_TYPE]) if _CONTENT_TYPE in values else None,
        message_digest=der.content(values[_MESSAGE_DIGEST], der.OCTETS) if _MESSAGE_DIGEST in values else None,
        signed_at=der.to_time(values[_SIGNING_TIME]) if _SIGNING_TIME in values else None,
        attributes_in_order=raw == sorted(raw),
        _signer_id=_signer_id(parts[1]),
        # Signed as a SET, stored under a context tag.
        _attributes=b"\x31" + parts[3].raw[1:] if has_attributes else None,
        _hash=_HASHES[digest_algorithm],
        _signature_algorithm=_algorithm(rest[0]),
        _signature=der.content(rest[1], der.OCTETS),
    )


def _attribute_values(attributes: list[Node]) -> dict[str, Node]:
    values: dict[str, Node] = {}
    for attribute in attributes:
        kind, held = _exactly(der.children(attribute), 2)
        name = der.to_oid(kind)
        if name in values:
            raise VerificationError("a signed attribute stands twice")
        if name in {_CONTENT_TYPE, _MESSAGE_DIGEST, _SIGNING_TIME}:
            values[name] = _exactly(der.children(held, der.SET), 1)[0]
    return values


def _certificates(node: Node | None) -> tuple[x509.Certificate, ...]:
    nodes = der.children(node, der.CONTEXT_0) if node is not None else []
    if len(nodes) > CERTIFICATES_MAX:
        raise VerificationError(f"the signature holds more than {CERTIFICATES_MAX} certificates")
    try:
        return tuple(read_certificate(_whole(one)) for one in nodes)
    except ValueError:
        raise VerificationError("a certificate in the signature is damaged") from None


def _whole(certificate: Node) -> bytes:
    """A certificate's bytes, if its signature fills whole bytes; `cryptography` would not look."""
    value = der.content(_exactly(der.children(certificate), 3)[2], der.BITS)
    if not value.startswith(b"\0"):
        raise VerificationError("a certificate in the signature is damaged")
    return certificate.raw


def _signer_id(node: Node) -> tuple[bytes, int] | bytes:
    """Issuer and serial number, or the subject's key identifier."""
    if node.tag == der.SEQUENCE:
        issuer, serial = _exactly(der.children(node), 2)
        return issuer.raw, der.to_int(serial)
    return der.content(node, der.CONTEXT_0_PLAIN)


def _names(signer_id: tuple[bytes, int] | bytes, certificate: x509.Certificate) -> bool:
    if isinstance(signer_id, tuple):
        return signer_id == (certificate.issuer.public_bytes(), certificate.serial_number)
    try:
        own = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return False
    return signer_id == own


def _algorithm(node: Node) -> str:
    parts = der.children(node)
    if not 1 <= len(parts) <= 2 or (len(parts) == 2 and parts[1].raw != _NULL):
        raise VerificationError("an algorithm identifier is damaged, or has parameters")
    return der.to_oid(parts[0])


def _exactly(nodes: list[Node], count: int) -> list[Node]:
    if len(nodes) != count:
        raise VerificationError(f"{count} DER elements expected, {len(nodes)} found")
    return nodes
