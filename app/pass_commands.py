"""`tessera pass build|inspect|lint|verify`: work on pass files alone, with no service and no database."""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from cryptography import x509

from app.clock import system_clock
from passes.apple import folder
from passes.apple.archive import PASS_LIMITS
from passes.apple.findings import Finding, Rule, Severity
from passes.apple.identity import Identity, read_certificates
from passes.apple.lint import CATALOGUE, lint
from passes.apple.lint.document import read as read_document
from passes.apple.signing import Signer
from passes.apple.verify import Report, verify
from passes.errors import PassError

DONE, FAILED, WRONG_USAGE = 0, 1, 2
Arguments = argparse.Namespace


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `pass` with its four commands; each sets `func`, which takes the arguments and returns the exit code."""
    made = subparsers.add_parser("pass", help="build, show, lint and verify .pkpass files")
    commands = made.add_subparsers(dest="pass_command", required=True, metavar="COMMAND")
    _add_build(commands)
    _add_inspect(commands)
    _add_lint(commands)
    _add_verify(commands)


def _add_build(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    build = commands.add_parser("build", help="make a signed .pkpass from pass.json and a folder of images")
    build.add_argument("source", type=Path, help="a folder with pass.json and images, or a JSON file")
    build.add_argument("--images", type=Path, metavar="FOLDER", help="images and *.lproj, if not beside the JSON file")
    build.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.pkpass")
    build.add_argument(
        "--identity",
        type=Path,
        metavar="FOLDER",
        help="certificate.pem, key.pem and wwdr.pem; default certs/<pass type identifier>",
    )
    build.add_argument("--password-file", type=Path, metavar="FILE", help="password of an encrypted key")
    build.add_argument("--json", action="store_true", help="print the result as JSON")
    build.set_defaults(func=_guarded(_build))


def _add_inspect(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    inspect = commands.add_parser("inspect", help="show what a .pkpass holds")
    inspect.add_argument("file", type=Path)
    inspect.add_argument("--json", action="store_true", help="print everything as JSON")
    inspect.set_defaults(func=_guarded(_inspect))


def _add_lint(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    check = commands.add_parser("lint", help="list what Wallet would refuse or silently drop")
    check.add_argument("file", type=Path, nargs="?")
    check.add_argument("--root", type=Path, metavar="FILE", help="trusted root certificates, PEM")
    check.add_argument("--nfc", action="store_true", help="the certificate is one that Apple granted for NFC")
    check.add_argument("--explain", nargs="?", const="", metavar="CODE", help="explain a code, or list all of them")
    check.add_argument("--json", action="store_true", help="print the findings as JSON")
    check.set_defaults(func=_guarded(_lint))


def _add_verify(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    check = commands.add_parser("verify", help="verify digests, signature and certificates of a .pkpass")
    check.add_argument("file", type=Path)
    check.add_argument("--root", type=Path, metavar="FILE", help="trusted root certificates, PEM")
    check.add_argument("--json", action="store_true", help="print the report as JSON")
    check.set_defaults(func=_guarded(_verify))


def _guarded(run: Callable[[Arguments], int]) -> Callable[[Arguments], int]:
    """A command whose expected failures become one line on standard error."""

    def guarded(arguments: Arguments) -> int:
        try:
            return run(arguments)
        except PassError as error:
            return _fail(str(error))
        except OSError as error:
            return _fail(f"{error.filename}: {error.strerror}")

    return guarded


def _build(arguments: Arguments) -> int:
    source: Path = arguments.source
    pass_json = source / "pass.json" if source.is_dir() else source
    files = folder.read_folder(pass_json, arguments.images or pass_json.parent)
    signer = Signer.prepare(_identity(arguments, files))
    built = folder.build_files(files, signer, at=system_clock())
    arguments.output.write_bytes(built.data)
    if arguments.json:
        _print_json({"file": str(arguments.output), "bytes": len(built.data), "findings": _plain(built.findings)})
    else:
        _print(_lines(built.findings))
        _print([f"{arguments.output}: {len(built.data):,} bytes"])
    return DONE


def _identity(arguments: Arguments, files: Mapping[str, bytes]) -> Identity:
    home = arguments.identity
    if home is None:
        content, _ = read_document(files)
        home = Path("certs") / str(content.get("passTypeIdentifier", "pass")).replace("/", "_")
    password = arguments.password_file.read_bytes().rstrip(b"\r\n") if arguments.password_file else None
    return Identity.from_files(
        certificate=home / "certificate.pem",
        key=home / "key.pem",
        intermediates=home / "wwdr.pem",
        password=password,
    )


def _inspect(arguments: Arguments) -> int:
    inside = folder.inspect(_file(arguments.file), at=system_clock())
    if arguments.json:
        _print(
            [
                folder.as_json(
                    {
                        "style": inside.style,
                        "pass": inside.document,
                        "files": inside.file_bytes,
                        "images": inside.image_sizes,
                        "languages": inside.languages,
                        "signature": _signature(inside.report),
                    }
                )
            ]
        )
        return DONE
    lines = [f"{key}: {value}" for key, value in inside.document.items() if isinstance(value, str | int)]
    for style in inside.style.split("+"):
        lines += _field_lines(inside.document.get(style))
    lines += [
        f"{name}: {size:,} bytes {inside.image_sizes.get(name, '')}".rstrip()
        for name, size in inside.file_bytes.items()
    ]
    lines += [f"language {name}: {count} texts" for name, count in inside.languages.items()]
    lines += [f"{key}: {value}" for key, value in _signature(inside.report).items()]
    _print(lines)
    return DONE


def _field_lines(content: object) -> list[str]:
    lines = []
    for group, fields in content.items() if isinstance(content, Mapping) else ():
        for field in fields if isinstance(fields, list) else ():
            if isinstance(field, Mapping):
                label = field.get("label") or field.get("key")
                lines.append(f"{str(group).removesuffix('Fields')}: {label} = {field.get('value')}")
    return lines


def _lint(arguments: Arguments) -> int:
    if arguments.explain is not None:
        return _explain(arguments)
    if arguments.file is None:
        return _fail("give a .pkpass file, or --explain", WRONG_USAGE)
    findings = lint(
        _file(arguments.file), at=system_clock(), roots=_roots(arguments.root), nfc_certificate=arguments.nfc
    )
    if arguments.json:
        _print_json(_plain(findings))
    else:
        _print(_lines(findings) or [f"{arguments.file}: nothing found"])
    return FAILED if any(finding.severity is Severity.ERROR for finding in findings) else DONE


def _explain(arguments: Arguments) -> int:
    wanted = arguments.explain
    if wanted and wanted not in CATALOGUE:
        return _fail(f"there is no code {wanted!r}; `tessera pass lint --explain` lists all", WRONG_USAGE)
    rules: list[Rule] = [CATALOGUE[wanted]] if wanted else list(CATALOGUE.values())
    if arguments.json:
        _print_json(
            [{"code": r.code, "severity": r.severity.value, "meaning": r.meaning, "hint": r.hint} for r in rules]
        )
    else:
        _print(f"{rule.code} ({rule.severity.value}): {rule.meaning}. To mend it: {rule.hint}." for rule in rules)
    return DONE


def _verify(arguments: Arguments) -> int:
    report = verify(_file(arguments.file), at=system_clock(), roots=_roots(arguments.root))
    if arguments.json:
        _print_json({"ok": report.ok, "findings": _plain(report.findings), **_signature(report)})
    else:
        _print(_lines(report.findings))
        _print(f"{key}: {value}" for key, value in _signature(report).items())
        _print(["verified" if report.ok else "not verified"])
    return DONE if report.ok else FAILED


def _signature(report: Report) -> dict[str, object]:
    trust = {None: "not checked, no root given", True: "yes", False: "no"}[report.trusted]
    signed_at = report.signed_at.isoformat() if report.signed_at else None
    return {"signed_at": signed_at, "trusted": trust} | _certificate(report.certificate)


def _certificate(certificate: x509.Certificate | None) -> dict[str, object]:
    if certificate is None:
        return {}
    return {
        "certificate": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "valid_until": certificate.not_valid_after_utc.isoformat(),
    }


def _file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(PASS_LIMITS.archive_bytes + 1)


def _roots(path: Path | None) -> list[x509.Certificate]:
    return read_certificates(path.read_bytes(), str(path)) if path else []


def _lines(findings: Iterable[Finding]) -> list[str]:
    return [f"{one.severity.value} {one.code}: {_place(one)}{one.message}. To mend it: {one.hint}." for one in findings]


def _place(finding: Finding) -> str:
    return f"{finding.where}: " if finding.where else ""


def _plain(findings: Iterable[Finding]) -> list[dict[str, str]]:
    return [
        {
            "code": one.code,
            "severity": one.severity.value,
            "where": one.where,
            "message": one.message,
            "hint": one.hint,
        }
        for one in findings
    ]


def _print_json(value: object) -> None:
    _print([json.dumps(value, ensure_ascii=False, indent=2)])


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        # Values come from strangers' files; a terminal must neither obey nor choke on them.
        shown = "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in line)
        sys.stdout.buffer.write(f"{shown}\n".encode())
    sys.stdout.flush()


def _fail(text: str, code: int = FAILED) -> int:
    one_line = " ".join(text.split())
    sys.stderr.write(f"tessera: {one_line}\n".encode("ascii", "backslashreplace").decode())
    return code
