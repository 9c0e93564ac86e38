"""One shop for all of these, in which everything must hold at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.shop import Answer, answer_of, until
from shared.contracts.ledger import CallbackRefused, PaymentClosed
from tests.acceptance.bad_input.shop import Shop, opened
from tests.platform.market import open_market

KINDS = (PaymentClosed, CallbackRefused)


@pytest.fixture(scope="package")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Its platform, after all that was asked of it, has parked nothing and its ledger is balanced."""
    with open_market(tmp_path_factory.mktemp("shop")) as market:
        shop = market.run(opened(market))
        yield shop
        market.run(market.settled(shop.waiting))
        assert not market.platform.parked()
        page = answer_of(shop.ask("administrator", "GET", "/v1/ledger/trial-balance"))
        assert set(page["sums"].values()) == {0}


@pytest.fixture
def unchanged(shop: Shop) -> Iterator[None]:
    """The logs of all services end where they ended before, once every closed payment's callback is in."""

    async def callbacks_came() -> Answer | None:
        closed, refused = ({it.payment_id for it in shop.market.platform.events("ledger", kind)} for kind in KINDS)
        return {} if closed <= refused else None

    shop.market.run(until("the channel to tell of closed payments", callbacks_came))
    shop.market.run(shop.market.settled(shop.waiting))  # mails about those callbacks are sent
    before = shop.market.platform.heads()
    yield
    assert shop.market.platform.heads() == before
