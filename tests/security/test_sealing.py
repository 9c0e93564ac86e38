import itertools
import traceback

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from shared.security.sealing import CannotOpen, Opener, Sealer, blind_index, keypair_from_secret

PAIR = keypair_from_secret("a buyer's secret")
OTHER = keypair_from_secret("another buyer's secret")


def counting_bytes():
    """Random bytes for golden vectors: each call is filled with the number of the call."""
    calls = itertools.count(1)
    return lambda length: bytes([next(calls)]) * length


def seal(plain: str, context: str = "sku-1") -> str:
    return Sealer(PAIR.public, counting_bytes()).seal(plain, context)


@given(st.text(), st.text(st.characters(codec="utf-8")))
def test_what_is_sealed_opens_in_its_context(plain: str, context: str) -> None:
    if any("\ud800" <= letter <= "\udfff" for letter in plain):
        return
    assert Opener(PAIR.private).open(seal(plain, context), context) == plain


def test_boxes_keep_their_form_for_ever() -> None:
    sealer = Sealer(PAIR.public, counting_bytes())

    assert PAIR.public == "mErQZh8Bv18zNE7O8qaMQ5l-y9JXmOAaHhwD4kitSFI"
    assert (
        sealer.seal("CARD-0001", "sku-1")
        == "k1.pOCSkrZRwni5dyxWn1-puxPZBrRqtoyd-dwrRAn4ogkCAgICAgICAgICAgJlMKK2lAK3GNEsJWGMpMIC7Mu7Y66B-nc0"
    )
    assert (
        sealer.seal("CARD-0001", "sku-1")
        == "k1.pOCSkrZRwni5dyxWn1-puxPZBrRqtoyd-dwrRAn4ogkDAwMDAwMDAwMDAwMaC-LDFHQTL5q5FDUSVl60NxsOBymhAAae"
    )
    assert blind_index(b"k" * 32, "CARD-0001") == "JbNIzbtrJAXI6fhnZTU9Eg"


@given(st.integers(0), st.integers(0, 5))
def test_a_changed_letter_does_not_open(place: int, bit: int) -> None:
    box = seal("CARD-0001")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    at = 3 + place % (len(box) - 3)
    changed = box[:at] + alphabet[alphabet.index(box[at]) ^ (1 << bit)] + box[at + 1 :]

    with pytest.raises(CannotOpen):
        Opener(PAIR.private).open(changed, "sku-1")


def test_another_context_does_not_open() -> None:
    with pytest.raises(CannotOpen):
        Opener(PAIR.private).open(seal("CARD-0001", "sku-1"), "sku-2")


def test_another_key_does_not_open() -> None:
    with pytest.raises(CannotOpen):
        Opener(OTHER.private).open(seal("CARD-0001"), "sku-1")


@pytest.mark.parametrize("box", ["", "k1.", "k2.AAAA", "k1.AAAA", "k1.!!!!", "CARD-0001", "k1.é", "k1." + "A" * 80])
def test_what_is_not_a_box_does_not_open(box: str) -> None:
    with pytest.raises(CannotOpen):
        Opener(PAIR.private).open(box, "sku-1")


def test_a_failure_tells_neither_text_nor_key() -> None:
    box = seal("CARD-0001")

    with pytest.raises(CannotOpen) as failure:
        Opener(PAIR.private).open(box, "sku-2")

    text = "".join(traceback.format_exception(failure.value)) + repr(failure.value)
    assert "CARD-0001" not in text
    assert failure.value.__cause__ is None
    assert failure.value.__context__ is None
    assert repr(PAIR.private) not in repr(PAIR)


def test_text_that_is_not_unicode_is_refused_without_showing_it() -> None:
    with pytest.raises(ValueError, match="not valid Unicode") as failure:
        seal("CARD-\ud800")

    assert "CARD" not in repr(failure.value)
    assert failure.value.__context__ is None


@pytest.mark.parametrize("public", ["", "short", "é" * 43, PAIR.public + "="])
def test_an_unfit_public_key_is_refused(public: str) -> None:
    with pytest.raises(ValueError, match="not a public key"):
        Sealer(public, counting_bytes())


def test_boxes_of_one_sealer_cost_one_agreement() -> None:
    sealer, opener = Sealer(PAIR.public, counting_bytes()), Opener(PAIR.private)
    boxes = [sealer.seal(f"CARD-{number}", "sku-1") for number in range(50)]

    assert [opener.open(box, "sku-1") for box in boxes] == [f"CARD-{number}" for number in range(50)]
    assert opener._cipher_for.cache_info().misses == 1


def test_sealers_do_not_share_an_ephemeral_key() -> None:
    random_bytes = counting_bytes()
    first, second = (Sealer(PAIR.public, random_bytes).seal("CARD-0001", "sku-1") for _ in range(2))

    assert first[:46] != second[:46]


def test_a_key_pair_is_its_secrets_own() -> None:
    assert keypair_from_secret("a buyer's secret") == PAIR
    assert keypair_from_secret(b"a buyer's secret") == PAIR
    assert OTHER.public != PAIR.public
    assert len(X25519PrivateKey.from_private_bytes(PAIR.private).private_bytes_raw()) == 32


def test_equal_texts_share_an_index_whatever_their_form() -> None:
    key = b"k" * 32

    assert blind_index(key, " ＣＡＲＤ-０００１\u3000") == blind_index(key, "CARD-0001")
    assert blind_index(key, "CARD-0002") != blind_index(key, "CARD-0001")
    assert blind_index(b"l" * 32, "CARD-0001") != blind_index(key, "CARD-0001")
    assert len(blind_index(key, "CARD-0001")) == 22
