"""Everything for which Wallet would refuse a pass, or silently drop a part of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from types import MappingProxyType

from cryptography import x509

from passes.apple import archive, manifest
from passes.apple import verify as verification
from passes.apple.findings import Finding, Rule, Severity
from passes.apple.lint import (
    barcodes,
    dates,
    document,
    entries,
    extras,
    fields,
    images,
    keys,
    languages,
    places,
    service,
)
from passes.apple.lint.subject import Subject
from passes.errors import BundleError

# Of one subject; a hostile file could earn millions.
FINDINGS_MAX = 200
_CHECKS = (entries, keys, service, fields, dates, barcodes, places, extras, images, languages)
_BOOKS = (verification, manifest, document, *_CHECKS)
CATALOGUE: Mapping[str, Rule] = MappingProxyType({rule.code: rule for book in _BOOKS for rule in book.RULES})
_ORDER = {severity: place for place, severity in enumerate(Severity)}


def lint(
    data: bytes, *, at: datetime, roots: Sequence[x509.Certificate] = (), nfc_certificate: bool = False
) -> tuple[Finding, ...]:
    """List what is wrong with a .pkpass, the gravest first; never raises for any bytes.

    Args:
        at: aware, the moment for which expiry is judged.
        roots: trusted; without any, the chain is followed to the intermediate only.
        nfc_certificate: the certificate is one that Apple granted for NFC.
    """
    try:
        unpacked = archive.scan(data)
    except BundleError as error:
        return (verification.ARCHIVE_UNREADABLE.found(detail=str(error)),)
    files = {entry.name: entry.data for entry in unpacked if not entry.is_folder and not entry.is_link}
    content, found = document.read(files)
    subject = Subject(entries=unpacked, files=files, document=content, at=at, nfc_certificate=nfc_certificate)
    for checks in _CHECKS:
        found.extend(islice(checks.check(subject), FINDINGS_MAX))
    found.extend(verification.verify_files(files, at=at, roots=roots).findings)
    return tuple(sorted(found, key=lambda finding: _ORDER[finding.severity]))
