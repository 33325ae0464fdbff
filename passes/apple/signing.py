"""manifest.json -> its detached signature, as Wallet accepts it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache, partial

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from passes.apple import der
from passes.apple.identity import Identity, Key
from passes.errors import IdentityError

_DATA = der.oid("1.2.840.113549.1.7.1")
_SIGNED_DATA = der.oid("1.2.840.113549.1.7.2")
_CONTENT_TYPE = der.oid("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST = der.oid("1.2.840.113549.1.9.4")
_SIGNING_TIME = der.oid("1.2.840.113549.1.9.5")
_NULL = der.tlv(der.NULL)
_SHA256 = der.tlv(der.SEQUENCE, der.oid("2.16.840.1.101.3.4.2.1"), _NULL)
_RSA = der.tlv(der.SEQUENCE, der.oid("1.2.840.113549.1.1.1"), _NULL)
_ECDSA_SHA256 = der.tlv(der.SEQUENCE, der.oid("1.2.840.10045.4.3.2"))
_VERSION_1 = der.integer(1)
_DIGEST_BYTES = 32
_DIGEST_HEAD = der.tlv(der.SEQUENCE, _MESSAGE_DIGEST, der.tlv(der.SET, der.tlv(der.OCTETS, bytes(_DIGEST_BYTES))))[
    :-_DIGEST_BYTES
]
_CONTENT_TYPE_ATTRIBUTE = der.tlv(der.SEQUENCE, _CONTENT_TYPE, der.tlv(der.SET, _DATA))
_PADDING = PKCS1v15()
_HASH = SHA256()
_ECDSA = ec.ECDSA(_HASH)
_Frame = tuple[bytes, bytes]


@dataclass(frozen=True, kw_only=True)
class Signer:
    """An identity made ready: everything in a signature that never changes is encoded once.

    The structure is written here and not by PKCS7SignatureBuilder, because the builder takes the time from the
    machine's clock, and costs 30 µs a pass beside the 260 µs of the RSA operation.
    """

    identity: Identity
    _sign: Callable[[bytes], bytes] = field(repr=False)
    _certificates: bytes = field(repr=False)
    _signer_start: bytes = field(repr=False)
    _algorithm: bytes = field(repr=False)
    _valid_from: datetime = field(repr=False)
    _valid_until: datetime = field(repr=False)
    _frames: dict[tuple[int, int], _Frame] = field(repr=False, compare=False, default_factory=dict)

    @classmethod
    def prepare(cls, identity: Identity) -> "Signer":
        """Encode the constant parts for an identity; keep the result as long as the identity."""
        leaf = identity.certificate
        encoded = sorted(one.public_bytes(Encoding.DER) for one in (leaf, identity.intermediate))
        serial = der.tlv(der.SEQUENCE, leaf.issuer.public_bytes(), der.integer(leaf.serial_number))
        return cls(
            identity=identity,
            _sign=_signing(identity.key),
            _certificates=der.tlv(der.CONTEXT_0, *encoded),
            _signer_start=_VERSION_1 + serial + _SHA256,
            _algorithm=_RSA if isinstance(identity.key, rsa.RSAPrivateKey) else _ECDSA_SHA256,
            _valid_from=identity.valid_from,
            _valid_until=identity.valid_until,
        )

    def sign(self, manifest: bytes, *, at: datetime) -> bytes:
        """Sign a manifest with content type, digest and signing time.

        Args:
            manifest: the exact bytes stored as manifest.json.
            at: aware, the moment of signing, at which both certificates must be valid.

        Returns: a detached CMS signature, DER, with certificate and intermediate inside.
        Raises: IdentityError, if a certificate is not valid at that moment.
        Source: Apple, Wallet Passes, "Building a Pass"; RFC 5652, section 5.
        """
        if not self._valid_from <= at <= self._valid_until:
            raise IdentityError(self.identity.problems(at=at))
        # DER orders a SET by its members' bytes; these three have rising lengths, so this order is the right one.
        attributes = b"".join(
            (
                _CONTENT_TYPE_ATTRIBUTE,
                _time_attribute(int(at.timestamp())),
                _DIGEST_HEAD,
                hashlib.sha256(manifest).digest(),
            )
        )
        # The signature covers the attributes as a SET, while the structure holds them under a context tag.
        signature = self._sign(der.tlv(der.SET, attributes))
        sizes = (len(attributes), len(signature))
        frame = self._frames.get(sizes)
        if frame is None:
            frame = self._frames[sizes] = self._frame(*sizes)
        return b"".join((frame[0], attributes, frame[1], signature))

    def _frame(self, attribute_bytes: int, signature_bytes: int) -> _Frame:
        """What stands before the attributes, and between them and the signature; it depends on their sizes only."""
        signer = der.tlv(
            der.SEQUENCE,
            self._signer_start,
            der.tlv(der.CONTEXT_0, bytes(attribute_bytes)),
            self._algorithm,
            der.tlv(der.OCTETS, bytes(signature_bytes)),
        )
        signed = der.tlv(
            der.SEQUENCE,
            _VERSION_1,
            der.tlv(der.SET, _SHA256),
            der.tlv(der.SEQUENCE, _DATA),
            self._certificates,
            der.tlv(der.SET, signer),
        )
        whole = der.tlv(der.SEQUENCE, _SIGNED_DATA, der.tlv(der.CONTEXT_0, signed))
        between = self._algorithm + der.tlv(der.OCTETS, bytes(signature_bytes))[:-signature_bytes]
        return whole[: -attribute_bytes - len(between) - signature_bytes], between


@lru_cache(maxsize=8)
def _time_attribute(second: int) -> bytes:
    return der.tlv(der.SEQUENCE, _SIGNING_TIME, der.tlv(der.SET, der.time(datetime.fromtimestamp(second, UTC))))


def _signing(key: Key) -> Callable[[bytes], bytes]:
    if isinstance(key, rsa.RSAPrivateKey):
        return partial(_sign_rsa, key)
    return partial(_sign_ec, key)


def _sign_rsa(key: rsa.RSAPrivateKey, data: bytes) -> bytes:
    return key.sign(data, _PADDING, _HASH)


def _sign_ec(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    return key.sign(data, _ECDSA)
