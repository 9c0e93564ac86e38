"""Seals texts into boxes that only a private key opens, and makes blind indexes that find equal texts.

A box is `k1.` and the URL-safe base64 of ephemeral public key (32 bytes), nonce (12) and AES-256-GCM ciphertext with
its tag. The key is HKDF-SHA256 of the X25519 agreement; the context is the associated data, so a box moved elsewhere
does not open.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PREFIX = "k1."
_PUBLIC, _NONCE, _TAG = 32, 12, 16
_INDEX = 16


class CannotOpen(Exception):
    """A box is malformed, was changed, or belongs to another context or key."""


@dataclass(frozen=True)
class KeyPair:
    """An X25519 key pair: 32 private bytes, and the public ones as URL-safe base64 without padding."""

    private: bytes = field(repr=False)
    public: str


def keypair_from_secret(secret: bytes | str) -> KeyPair:
    """The key pair that belongs to a secret: always the same one."""
    raw = secret.encode() if isinstance(secret, str) else secret
    private = _derive(raw, b"kameng keypair")
    return KeyPair(private, _encode(_private_key(private).public_key().public_bytes_raw()))


class Sealer:
    """Seals for one public key; all its boxes share one ephemeral key. Raises ValueError for an unfit public key."""

    def __init__(self, public: str, random_bytes: Callable[[int], bytes]) -> None:
        recipient = _decode(public)
        if recipient is None or len(recipient) != _PUBLIC:
            raise ValueError("not a public key")
        ephemeral = X25519PrivateKey.from_private_bytes(random_bytes(32))
        self._ephemeral = ephemeral.public_key().public_bytes_raw()
        agreed = ephemeral.exchange(X25519PublicKey.from_public_bytes(recipient))
        self._cipher = _cipher(agreed, self._ephemeral, recipient)
        self._random_bytes = random_bytes

    def seal(self, plain: str, context: str) -> str:
        """The box of a text, to be opened in the same context only. Raises ValueError for text with lone surrogates."""
        nonce = self._random_bytes(_NONCE)
        sealed = self._cipher.encrypt(nonce, _utf8(plain), context.encode())
        return PREFIX + _encode(self._ephemeral + nonce + sealed)


class Opener:
    """Opens boxes with one private key (32 bytes); remembers the keys agreed with the `keep` latest ephemeral ones."""

    def __init__(self, private: bytes, keep: int = 64) -> None:
        self._private = _private_key(private)
        self._public = self._private.public_key().public_bytes_raw()
        self._cipher_for = lru_cache(maxsize=keep)(self._agree)

    def open(self, box: str, context: str) -> str:
        """The text in a box. Raises CannotOpen, which tells neither the text nor a key."""
        raw = _decode(box.removeprefix(PREFIX)) if box.startswith(PREFIX) else None
        if raw is None or len(raw) < _PUBLIC + _NONCE + _TAG:
            raise CannotOpen("this is not a box")
        ephemeral, nonce, sealed = raw[:_PUBLIC], raw[_PUBLIC : _PUBLIC + _NONCE], raw[_PUBLIC + _NONCE :]
        try:
            return self._cipher_for(ephemeral).decrypt(nonce, sealed, context.encode()).decode()
        except (InvalidTag, ValueError):
            pass  # raised below, without a cause that may hold bytes of the text
        raise CannotOpen("the box was changed, or belongs to another key or context")

    def _agree(self, ephemeral: bytes) -> AESGCM:
        agreed = self._private.exchange(X25519PublicKey.from_public_bytes(ephemeral))
        return _cipher(agreed, ephemeral, self._public)


def blind_index(key: bytes, plain: str) -> str:
    """A keyed hash (128 bits, URL-safe base64) that equal texts share, spaces around and Unicode forms aside."""
    normal = unicodedata.normalize("NFKC", plain).strip()
    return _encode(hmac.digest(key, _utf8(normal), hashlib.sha256)[:_INDEX])


# Loading one multiplies on the curve, and who makes a key pair soon opens boxes with it.
_private_key = lru_cache(maxsize=1_000)(X25519PrivateKey.from_private_bytes)


def _cipher(agreed: bytes, ephemeral: bytes, recipient: bytes) -> AESGCM:
    return AESGCM(_derive(agreed, b"kameng box k1" + ephemeral + recipient))


def _derive(material: bytes, info: bytes) -> bytes:
    return HKDF(hashes.SHA256(), length=32, salt=None, info=info).derive(material)


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes | None:
    """The bytes of unpadded URL-safe base64 in its one canonical spelling, None for anything else."""
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (Base64Error, ValueError):
        return None
    return raw if _encode(raw) == text else None


def _utf8(text: str) -> bytes:
    raw = text.encode(errors="replace")
    if len(raw) != len(text.encode(errors="surrogatepass")):
        raise ValueError("the text is not valid Unicode")  # a UnicodeEncodeError would carry the text itself
    return raw
