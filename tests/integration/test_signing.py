"""Keys from a file, the environment and a service; each signs what OpenSSL verifies."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from pipeline.errors import ConfigError
from pipeline.evidence.signing import KeyFolder, Signer, signer_of
from pipeline.evidence.verify_bundle import openssl, pem
from pipeline.settings import SealSettings

SERVICE = """\
import sys
from cryptography.hazmat.primitives.serialization import load_pem_private_key
key = load_pem_private_key(open({key!r}, "rb").read(), None)
sys.stdout.buffer.write(key.sign({data}))
"""


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "key.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", file], check=True)
    return file


def public_of(key: Path) -> str:
    asked = ["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"]
    return subprocess.run(asked, check=True, capture_output=True).stdout[-32:].hex()


def verifies(signer: Signer, folder: Path) -> bool:
    data, signature, public = (folder / n for n in ("data", "sig", "public.pem"))
    data.write_bytes(b"a manifest")
    signature.write_bytes(signer.sign(b"a manifest"))
    public.write_bytes(pem(signer.public_key))
    asked = ["-verify", "-pubin", "-inkey", public, "-rawin", "-in", data, "-sigfile", signature]
    return openssl("pkeyutl", *asked)[0] == 0


def service(key: Path, folder: Path, *, data: str = "sys.stdin.buffer.read()") -> tuple[str, ...]:
    script = folder / "service.py"
    script.write_text(SERVICE.format(key=str(key), data=data))
    return (sys.executable, str(script))


def test_each_kind_of_key_signs(key: Path, tmp_path: Path) -> None:
    kinds = [
        SealSettings(key_file=str(key)),
        SealSettings(key=SecretStr(key.read_text())),
        SealSettings(kms_command=service(key, tmp_path), kms_public_key=public_of(key)),
    ]
    for settings in kinds:
        signer = signer_of(settings, tmp_path / "none")
        assert signer.public_key.hex() == public_of(key)
        assert verifies(signer, tmp_path)


def test_the_service_is_not_believed(key: Path, tmp_path: Path) -> None:
    wrong = service(key, tmp_path, data="b'something else'")
    public = public_of(key)
    signer = signer_of(SealSettings(kms_command=wrong, kms_public_key=public), tmp_path)
    with pytest.raises(ConfigError, match="does not fit"):
        signer.sign(b"a manifest")
    for command in (("/nowhere/sign",), (sys.executable, "-c", "raise SystemExit(3)")):
        failing = signer_of(SealSettings(kms_command=command, kms_public_key=public), tmp_path)
        with pytest.raises(ConfigError, match="signing command failed"):
            failing.sign(b"a manifest")
    with pytest.raises(ConfigError, match="64 hex digits"):
        signer_of(SealSettings(kms_command=wrong, kms_public_key="zz"), tmp_path)


def test_what_is_no_key_is_refused(key: Path, tmp_path: Path) -> None:
    rsa = tmp_path / "rsa.pem"
    subprocess.run(["openssl", "genrsa", "-out", rsa, "2048"], check=True, capture_output=True)
    with pytest.raises(ConfigError, match="not an Ed25519 key"):
        signer_of(SealSettings(key_file=str(rsa)), tmp_path)
    with pytest.raises(ConfigError, match="not a private key"):
        signer_of(SealSettings(key=SecretStr("secret")), tmp_path)
    with pytest.raises(ConfigError, match="No such file"):
        signer_of(SealSettings(key_file=str(tmp_path / "gone.pem")), tmp_path)


def test_own_keys_are_private_and_dated(tmp_path: Path) -> None:
    folder = KeyFolder(tmp_path / "signing")
    with pytest.raises(ConfigError, match="no signing key"):
        folder.signer()
    first = folder.new(name="one", now_utc_ms=1000)
    second = folder.new(name="two", now_utc_ms=2000)
    assert folder.signer().public_key.hex() == second.key
    assert [(k.key, k.until_utc_ms) for k in folder.history().keys] == [
        (first.key, 2000),
        (second.key, None),
    ]
    modes = {stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "signing").glob("*.pem")}
    assert modes == {0o600}
    folder.revoke(second.key[:10], since_utc_ms=3000)
    with pytest.raises(ConfigError, match="no signing key"):
        folder.signer()
    with pytest.raises(ConfigError, match="2 keys begin with ''"):
        folder.revoke("", since_utc_ms=1)
    (tmp_path / "signing/history.json").write_text("{")
    with pytest.raises(ConfigError, match="is not a key history"):
        folder.history()
