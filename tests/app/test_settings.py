"""Settings: read once, checked before anything starts, wrong ones named on one line with a right example."""

from pathlib import Path

import pytest

from app.errors import ConfigurationError
from app.settings import PARSERS, PREFIX, Settings
from tests.app.commands.shell import Shell

LONG_SECRET = "x" * 32

WRONG = [
    ("TESSERA_DATABASE_URL", "mysql://root@localhost/x", "sqlite:///var/tessera.db"),
    ("TESSERA_DATABASE_URL", "tessera.db", "sqlite:///var/tessera.db"),
    ("TESSERA_DATABASE_URL", "sqlite:///", "sqlite:///var/tessera.db"),
    ("TESSERA_DATABASE_URL", "sqlite://", "sqlite:///var/tessera.db"),
    ("TESSERA_DATABASE_URL", "sqlite:///:memory:", "sqlite:///var/tessera.db"),
    ("TESSERA_DATABASE_URL", "sqlite:///file.db?mode=memory", "sqlite:///var/tessera.db"),
    ("TESSERA_DATABASE_URL", "sqlite:////tmp", "sqlite:///var/tessera.db"),
    ("TESSERA_DATABASE_URL", "postgresql://:::bad", "sqlite:///var/tessera.db"),
    ("TESSERA_DATABASE_URL", "postgresql://localhost", "sqlite:///var/tessera.db"),
    ("TESSERA_DATABASE_URL", "postgresql:///name", "sqlite:///var/tessera.db"),
    ("TESSERA_BROKER_URL", "localhost:6379", "redis://127.0.0.1:6379/0"),
    ("TESSERA_BASE_URL", "cards.example.com", "https://cards.example.com"),
    ("TESSERA_BASE_URL", "https://", "https://cards.example.com"),
    ("TESSERA_BASE_URL", "http://[", "https://cards.example.com"),
    ("TESSERA_BASE_URL", "https://cards.example.com:99999", "https://cards.example.com"),
    ("TESSERA_BASE_URL", "https://cards example.com", "https://cards.example.com"),
    ("TESSERA_BASE_URL", "https://me:secret@cards.example.com", "https://cards.example.com"),
    ("TESSERA_BASE_URL", "https://cards.example.com/?a=b", "https://cards.example.com"),
    ("TESSERA_BASE_URL", "ftp://cards.example.com", "https://cards.example.com"),
    ("TESSERA_LISTEN", "8080", "127.0.0.1:8080"),
    ("TESSERA_LISTEN", "127.0.0.1:0", "127.0.0.1:8080"),
    ("TESSERA_LISTEN", "127.0.0.1:65536", "127.0.0.1:8080"),
    ("TESSERA_LISTEN", "127.0.0.1:８０８０", "127.0.0.1:8080"),
    ("TESSERA_LISTEN", "my host:80", "127.0.0.1:8080"),
    ("TESSERA_LISTEN", "::1:8080", "[::1]:8080"),
    ("TESSERA_SECRET_KEY", "short", "openssl rand -hex 32"),
    ("TESSERA_APNS_URL", "http://api.push.apple.com", "https://api.push.apple.com"),
    ("TESSERA_APNS_CA_FILE", "no/such/file.pem", "for example"),
    ("TESSERA_APNS_KEY_ID", "abc", "ABC123DEFG"),
    ("TESSERA_GOOGLE_WALLET_URL", "walletobjects", "https://walletobjects.googleapis.com"),
    ("TESSERA_GOOGLE_CREDENTIALS", "no/such/file.json", "certs/google/service-account.json"),
    ("TESSERA_GOOGLE_ISSUER_ID", "BCR2DN4T", "3388000000012345678"),
    ("TESSERA_GOOGLE_RATE", "0", "20"),
    ("TESSERA_GOOGLE_RATE", "1e3", "20"),
    ("TESSERA_GOOGLE_RATE", "٢٠٠٠", "20"),
    ("TESSERA_GOOGLE_BATCH_WEIGHT", "50", "each"),
    ("TESSERA_BULK_APPLE_RATE", "0", "500"),
    ("TESSERA_WINDOW_URGENT_MS", "-1", "1000"),
    ("TESSERA_WINDOW_NORMAL_MS", "5s", "5000"),
    ("TESSERA_WINDOW_BULK_MS", "10.5", "10000"),
    ("TESSERA_SMTP_URL", "mail.example.com", "smtps://user:password@mail.example.com:465"),
    ("TESSERA_WEBHOOK_ALLOW", "hooks.internal", "hooks.internal:8443"),
    ("TESSERA_DRAIN_S", "soon", "a whole number from 0 to 60"),
    ("TESSERA_WEB_THREADS", "many", "8"),
    ("TESSERA_WEB_PROCESSES", "0", "4"),
    ("TESSERA_TRUSTED_PROXIES", "-1", "1"),
    ("TESSERA_LOG_LEVEL", "loud", "debug"),
    ("TESSERA_LOG_FORMAT", "xml", "text"),
]


@pytest.mark.parametrize(("name", "value", "example"), WRONG)
def test_a_wrong_value_is_named_with_a_right_example(name: str, value: str, example: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        Settings.from_environ({name: value})

    text = str(refusal.value)
    assert text.startswith(f"{name} ")
    assert "for example" in text
    assert example in text
    assert "\n" not in text


def test_every_setting_that_can_be_wrong_has_a_wrong_value_above() -> None:
    tried = {name.removeprefix(PREFIX).lower() for name, _, _ in WRONG}
    anything_goes = {"certs_dir", "var_dir"}

    assert set(PARSERS) - anything_goes - {"google_root_keys_url", "google_save_url", "apns_key_file"} <= tried


@pytest.mark.parametrize(
    ("name", "value", "field", "kept"),
    [
        ("TESSERA_DATABASE_URL", "sqlite:////srv/t.db", "database_url", "sqlite:////srv/t.db"),
        ("TESSERA_DATABASE_URL", "postgres://u:p%40@db/t", "database_url", "postgresql://u:p%40@db/t"),
        ("TESSERA_DATABASE_URL", "postgresql://u@/t?host=/run/pg", "database_url", "postgresql://u@/t?host=/run/pg"),
        ("TESSERA_BASE_URL", "https://cards.example.com/", "base_url", "https://cards.example.com"),
        ("TESSERA_LISTEN", "[::1]:8080", "listen", "[::1]:8080"),
        ("TESSERA_LISTEN", "0.0.0.0:80", "listen", "0.0.0.0:80"),
        ("TESSERA_LOG_LEVEL", "WARNING", "log_level", "warning"),
        ("TESSERA_GOOGLE_RATE", "1000", "google_rate", 1000),
        ("TESSERA_WEB_THREADS", "", "web_threads", 4),
        ("TESSERA_WEB_PROCESSES", "4", "web_processes", 4),
        ("TESSERA_WEBHOOK_ALLOW", "Hooks.here:8443, [::1]:9000", "webhook_allow", {"hooks.here:8443", "::1:9000"}),
    ],
)
def test_a_right_value_is_taken(name: str, value: str, field: str, kept: object) -> None:
    assert getattr(Settings.from_environ({name: value}), field) == kept


def test_all_faults_are_said_at_once() -> None:
    with pytest.raises(ConfigurationError) as refusal:
        Settings.from_environ({"TESSERA_LISTEN": "x", "TESSERA_GOOGLE_RATE": "x", "TESSERA_COLOUR": "red"})

    text = str(refusal.value)
    assert [name in text for name in ("TESSERA_LISTEN", "TESSERA_GOOGLE_RATE", "TESSERA_COLOUR")] == [True] * 3
    assert "TESSERA_COLOUR is not a setting of Tessera" in text


def test_halves_of_a_pair_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("x")

    for present, value, absent in (
        ("TESSERA_APNS_KEY_FILE", str(tmp_path / "key"), "TESSERA_APNS_KEY_ID"),
        ("TESSERA_APNS_KEY_ID", "ABC123DEFG", "TESSERA_APNS_KEY_FILE"),
        ("TESSERA_GOOGLE_CREDENTIALS", str(tmp_path / "key"), "TESSERA_GOOGLE_ISSUER_ID"),
        ("TESSERA_GOOGLE_ISSUER_ID", "3388000000012345678", "TESSERA_GOOGLE_CREDENTIALS"),
    ):
        with pytest.raises(ConfigurationError, match=f"^{absent} is missing beside {present}, for example {absent}="):
            Settings.from_environ({present: value})


def test_a_secret_is_read_from_the_file_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{LONG_SECRET}\n")

    chosen = Settings.from_environ({"TESSERA_SECRET_KEY_FILE": str(tmp_path / "secret")})

    assert chosen.secret_key == LONG_SECRET


def test_a_named_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ConfigurationError, match=r"^TESSERA_SECRET_KEY_FILE cannot be read: No such file.*nowhere"):
        Settings.from_environ({"TESSERA_SECRET_KEY_FILE": str(tmp_path / "nowhere")})
    with pytest.raises(ConfigurationError, match=r"^TESSERA_SECRET_KEY_FILE cannot be read: not text"):
        Settings.from_environ({"TESSERA_SECRET_KEY_FILE": str(tmp_path / "binary")})


def test_a_variable_wins_over_the_env_file_and_quotes_are_taken_off(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(
        "# what we run on\n"
        "export TESSERA_LISTEN='127.0.0.1:1111'\n"
        'TESSERA_BASE_URL="https://cards.example.com"\n'
        "TESSERA_APPLE_KEY_PASSWORD=it's=secret'\n"
        "OTHER_PROGRAM=1\n"
        "\n"
    )

    chosen = Settings.from_environ({"TESSERA_LISTEN": "127.0.0.1:2222"}, dotenv=file)

    assert chosen.listen == "127.0.0.1:2222"
    assert chosen.base_url == "https://cards.example.com"
    assert chosen.apple_key_password == "it's=secret'"


def test_an_env_file_that_is_no_text_is_said(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfeT\x00")

    with pytest.raises(ConfigurationError, match=r"\.env cannot be read: it is not UTF-8 text"):
        Settings.from_environ({}, dotenv=tmp_path / ".env")


def test_secrets_are_not_shown() -> None:
    chosen = Settings.from_environ(
        {
            "TESSERA_SECRET_KEY": f"hidden-{LONG_SECRET}",
            "TESSERA_APPLE_KEY_PASSWORD": "hidden-password",
            "TESSERA_SMTP_URL": "smtps://me:hidden-smtp@mail.example.com",
            "TESSERA_DATABASE_URL": "postgresql://me:hidden-database@db/x",
            "TESSERA_BROKER_URL": "redis://:hidden-broker@db/0",
        }
    )

    assert "hidden" not in repr(chosen)
    assert "8080" in repr(chosen)


def test_a_key_pasted_where_its_path_belongs_is_not_repeated() -> None:
    pasted = '{"private_key": "-----BEGIN PRIVATE KEY-----' + "A" * 5000

    with pytest.raises(ConfigurationError) as refusal:
        Settings.from_environ({"TESSERA_GOOGLE_CREDENTIALS": pasted, "TESSERA_GOOGLE_ISSUER_ID": "1"})

    assert "TESSERA_GOOGLE_CREDENTIALS names no file" in str(refusal.value)
    assert "private_key" not in str(refusal.value)
    assert "AAAA" not in str(refusal.value)


def test_the_command_ends_with_one_line_and_code_1(tmp_path: Path) -> None:
    shell = Shell(tmp_path, TESSERA_LISTEN="nowhere", TESSERA_GOOGEL_RATE="3")
    (tmp_path / ".env").write_text("TESSERA_LOG_LEVEL=loud\n")

    ended = shell("run")

    assert ended.code == 1
    assert ended.out == ""
    for name in ("TESSERA_LISTEN must be", "TESSERA_GOOGEL_RATE is not a setting", "TESSERA_LOG_LEVEL must be"):
        assert name in ended.line
    assert not (tmp_path / "var").exists()
