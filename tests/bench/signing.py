"""How many complete passes a core builds each second, beside the limit: the bare RSA operation."""

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from py_pkpass import models as peer

from passes.apple.building import build, build_own
from passes.apple.bundle import Artwork
from passes.apple.identity import Identity
from passes.apple.model import Barcode, Field, StoreCard
from passes.apple.signing import Signer
from passes.apple.verify import verify
from tests.authority import Authority, PassCertificate
from tests.passes.apple.samples import PASS_TYPE, TEAM, card, png

GOAL = 0.85
ROUNDS = 24
ROUND_PASSES = 50
Job = Callable[[int], object]


def artwork_files() -> dict[str, bytes]:
    """Nine images of together about 270 KB that do not compress, as photographs do not."""
    sizes = {"icon": (38, 38, 4), "logo": (160, 50, 12), "strip": (375, 144, 28)}
    return {
        f"{slot}{f'@{scale}x' if scale > 1 else ''}.png": png(
            width * scale, height * scale, extra=os.urandom(kilobytes * scale * 1000)
        )
        for slot, (width, height, kilobytes) in sizes.items()
        for scale in (1, 2, 3)
    }


def seconds(jobs: dict[str, Job], rounds: int, each: int) -> dict[str, float]:
    """Processor time of one run of each job.

    The jobs take turns in short rounds, and the quietest quarter of the rounds counts: on a shared machine the others
    measure what neighbours leave of the caches.
    """
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(rounds):
        for name, job in jobs.items():
            started = time.process_time()
            for number in range(each):
                job(turn * each + number)
            times[name].append((time.process_time() - started) / each)
    return {name: sorted(each_round)[len(each_round) // 4] for name, each_round in times.items()}


def our_jobs(made: PassCertificate, files: dict[str, bytes]) -> tuple[Job, Job]:
    """Whole passes as one byte string; and only the part behind the shared artwork, as a server sends and keeps it."""
    identity = Identity.from_pem(
        certificate=made.certificate_pem, key=made.key_pem, intermediates=made.intermediate_pem
    )
    signer, artwork, shared, now = Signer.prepare(identity), Artwork.prepare(files), card(), datetime.now(UTC)
    assert verify(build(shared, artwork, signer, at=now), at=now, roots=[made.root]).ok

    # Each card is a new value that has never been encoded; only the design's own parts are shared.
    cards, others = ([_card_of(shared, number) for number in range(ROUNDS * ROUND_PASSES)] for _ in range(2))

    def whole(number: int) -> bytes:
        return build(cards[number], artwork, signer, at=now)

    def own(number: int) -> bytes:
        return build_own(others[number], artwork, signer, at=now)

    return whole, own


def _card_of(shared: StoreCard, number: int) -> StoreCard:
    """Another holder's card: other serial, token, balance, name and barcode in the same design."""
    return replace(
        shared,
        serial_number=f"member-{number:08}",
        authentication_token=f"{number:064}",
        header=(Field(key="balance", label="Points", value=number, change_message="You have %@ points"),),
        secondary=(Field(key="member", label="Member", value=f"Member {number}"),),
        barcodes=(Barcode(message=f"7K3M-{number:08}"),),
    )


def peer_job(made: PassCertificate, files: dict[str, bytes], folder: Path) -> Job:
    for name, data in (("leaf", made.certificate_pem), ("key", made.key_pem), ("wwdr", made.intermediate_pem)):
        (folder / name).write_bytes(data)

    def job(number: int) -> bytes:
        content = peer.StoreCard()
        content.addHeaderField("balance", number, "Points")
        content.addSecondaryField("member", f"Member {number}", "Member")
        content.addAuxiliaryField("until", "2027-01-31", "Until")
        content.addBackField("latest", "", "News")
        one = peer.Pass(content, passTypeIdentifier=PASS_TYPE, organizationName="Cafe", teamIdentifier=TEAM)
        one.serialNumber, one.description = f"member-{number:08}", "Loyalty card"
        one.barcode = peer.Barcode(message=f"7K3M-{number:08}", format=peer.BarcodeFormat.QR)
        for name, data in files.items():
            one.addFile(name, BytesIO(data))
        made_zip = one.create(str(folder / "leaf"), str(folder / "key"), str(folder / "wwdr"), "")
        return bytes(made_zip.getvalue())

    return job


def run() -> list[str]:
    """Measure, and report in lines for people."""
    made = Authority().issue_pass_certificate(PASS_TYPE, TEAM)
    files = artwork_files()
    attributes = os.urandom(107)
    key = made.key
    assert isinstance(key, rsa.RSAPrivateKey)
    with tempfile.TemporaryDirectory() as folder:
        (whole, own), theirs = our_jobs(made, files), peer_job(made, files, Path(folder))
        jobs = {"raw": lambda _: key.sign(attributes, PKCS1v15(), SHA256()), "whole": whole, "own": own}
        took = seconds(jobs, ROUNDS, ROUND_PASSES) | seconds({"peer": theirs}, 4, 3)
    ratio = took["raw"] / took["whole"]
    return [
        f"{sum(map(len, files.values())) / 1000:.0f} KB of images; processor time of one core, quietest rounds",
        f"bare RSA-2048 signature:    {_rate(took['raw'])}",
        f"complete signed passes:     {_rate(took['whole'])}",
        f"ratio: {ratio:.3f} (goal: at least {GOAL})  {'reached' if ratio >= GOAL else 'MISSED'}",
        f"own part, images shared:    {_rate(took['own'])}  ratio {took['raw'] / took['own']:.3f}",
        f"py-pkpass, the same images: {_rate(took['peer'])}",
    ]


def _rate(each_s: float) -> str:
    return f"{1 / each_s:8,.0f}/s ({each_s * 1e6:6,.0f} µs)"
