"""A configuration's mistakes, told before anything is started."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from settings.load import load

# Of the shape of a public key, and nobody's.
_STAND_IN_KEY = (
    RSAPublicNumbers(65_537, (1 << 2047) | 1)
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
)
# What a starting stack will set by itself: values of the right shape stand in until then.
_WILL_BE_SET = {
    "HOLDFAST_LEDGER_URL": "postgresql://127.0.0.1/holdfast",
    "HOLDFAST_PORTAL_TOKEN": "stands-in-until-the-start-portal",
    "HOLDFAST_OPERATOR_TOKEN": "stands-in-until-the-start-operator",
    "SANDBOX_MAGENTO_WEBHOOK_PUBLIC_KEY": _STAND_IN_KEY,
    "SANDBOX_MAIL_HOST": "127.0.0.1",
    "SANDBOX_MAIL_PORT": "2525",
}


class _Environment(Mapping[str, str]):
    """The environment, and what the sandbox will put into it."""

    def __getitem__(self, name: str) -> str:
        if name in os.environ:
            return os.environ[name]
        if name in _WILL_BE_SET:
            return _WILL_BE_SET[name]
        if name.startswith("SANDBOX_"):
            return "http://127.0.0.1:1" if name.endswith("_URL") else "stands-in-until-the-start"
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(os.environ)

    def __len__(self) -> int:
        return len(os.environ)


def check_config(file: Path) -> None:
    """Raises ConfigError with every mistake that can be seen before the start."""
    load(file, _Environment())
