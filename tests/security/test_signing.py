from datetime import UTC, datetime, timedelta

import pytest

from shared.security.signing import sign, verify

SECRET = b"s" * 32
NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
STAMP = int(NOW.timestamp())
BODY = b'{"outcome":"done"}'


def test_a_signature_keeps_its_form_for_ever() -> None:
    assert sign(SECRET, STAMP, BODY) == "v1=f890657b77ac713f956dee695d399f8fcec29433e2941bfe4ca7d9790bd2267f"


def test_a_fresh_signature_fits() -> None:
    assert verify(SECRET, STAMP, BODY, sign(SECRET, STAMP, BODY), NOW)


@pytest.mark.parametrize(
    ("secret", "stamp", "body"), [(b"t" * 32, STAMP, BODY), (SECRET, STAMP + 1, BODY), (SECRET, STAMP, BODY + b" ")]
)
def test_another_secret_time_or_body_does_not_fit(secret: bytes, stamp: int, body: bytes) -> None:
    assert not verify(SECRET, STAMP, BODY, sign(secret, stamp, body), NOW)


@pytest.mark.parametrize("signature", ["", "v1=", "v2=" + "0" * 64, "v1=é\ud800"])
def test_nonsense_does_not_fit(signature: str) -> None:
    assert not verify(SECRET, STAMP, BODY, signature, NOW)


@pytest.mark.parametrize(("seconds", "fits"), [(-301, False), (-300, True), (300, True), (301, False)])
def test_a_signature_lives_as_long_as_the_tolerance(seconds: int, fits: bool) -> None:
    now = NOW + timedelta(seconds=seconds)

    assert verify(SECRET, STAMP, BODY, sign(SECRET, STAMP, BODY), now) is fits
