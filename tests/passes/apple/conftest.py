import pytest

from passes.apple.bundle import Artwork
from passes.apple.identity import Identity
from passes.apple.signing import Signer
from tests.authority import Authority, PassCertificate
from tests.passes.apple.samples import IMAGES, NOW, PASS_TYPE, TEAM


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority(now=NOW)


@pytest.fixture(scope="session")
def stranger() -> Authority:
    """An authority of the same shape and the same names, with other keys."""
    return Authority(now=NOW)


@pytest.fixture(scope="session")
def certificate(authority: Authority) -> PassCertificate:
    return authority.issue_pass_certificate(PASS_TYPE, TEAM)


@pytest.fixture(scope="session")
def identity(certificate: PassCertificate) -> Identity:
    return Identity.from_pem(
        certificate=certificate.certificate_pem, key=certificate.key_pem, intermediates=certificate.intermediate_pem
    )


@pytest.fixture(scope="session")
def signer(identity: Identity) -> Signer:
    return Signer.prepare(identity)


@pytest.fixture(scope="session")
def artwork() -> Artwork:
    return Artwork.prepare(IMAGES)
