import itertools
import json
import os
import traceback

import pytest

from services.fulfillment.adapters.vault import Vault
from services.fulfillment.domain.keys import Opened, Opening
from shared.contracts.inventory import ReservedKey
from shared.security.sealing import Opener, Sealer, keypair_from_secret
from tests.fulfillment.builders import BUYER, ID, order_line

SECRET = b"s" * 32
TEXTS = ("卡号 0001", "CARD-0002")


def boxes(sku: str = "sku-1") -> tuple[ReservedKey, ...]:
    sealer = Sealer(keypair_from_secret(SECRET).public, os.urandom)
    return tuple(ReservedKey(number=n, box=sealer.seal(text, sku)) for n, text in enumerate(TEXTS, start=1))


def opening(keys: tuple[ReservedKey, ...], buyer_key: str = BUYER.public) -> Opening:
    return Opening(ID, "order-1", order_line(), "sku-1", keys, buyer_key)


def test_the_buyer_alone_reads_the_keys_in_their_order() -> None:
    opened = Vault(SECRET, os.urandom).reseal(opening(boxes()))

    assert json.loads(Opener(BUYER.private).open(opened.envelope, ID)) == list(TEXTS)
    assert not any(text in repr(opened) for text in TEXTS)


def test_boxes_that_do_not_open_are_named_and_nothing_is_handed_out() -> None:
    good, _ = boxes()
    moved = boxes("sku-2")[1]
    keys = (good, moved, ReservedKey(number=9, box="k1.broken"))

    assert Vault(SECRET, os.urandom).reseal(opening(keys)) == Opened(unopened=(2, 9))


def test_an_unfit_buyer_key_is_noticed_before_anything_is_opened() -> None:
    with pytest.raises(ValueError, match="not a public key"):
        Vault(SECRET, os.urandom).reseal(opening(boxes(), buyer_key="nonsense"))


def test_a_failure_while_sealing_tells_no_text() -> None:
    calls = itertools.count()

    def failing_bytes(length: int) -> bytes:
        if next(calls):
            raise OSError("no entropy")
        return os.urandom(length)

    keys = opening(boxes())
    with pytest.raises(OSError) as failure:
        Vault(SECRET, failing_bytes).reseal(keys)

    assert not any(text in "".join(traceback.format_exception(failure.value)) for text in TEXTS)
