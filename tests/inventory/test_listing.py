import pytest

from services.inventory.domain import Product
from shared.contracts import Refused
from shared.contracts.inventory import (
    Listing,
    ListProduct,
    ProductChanged,
    ProductListed,
    ProductPutOnSale,
    ProductTakenOffSale,
    SetSale,
    Tier,
)
from tests.inventory.builders import SKU, Shop, a_listing, yuan


def list_as(listing: Listing, *, dry_run: bool = False) -> ListProduct:
    return ListProduct(sku=SKU, listing=listing, dry_run=dry_run)


def test_a_new_product_is_listed() -> None:
    outcome = Shop().ask(list_as(a_listing()))

    assert outcome.events == [ProductListed(sku=SKU, listing=a_listing())]
    assert outcome.answer == {"fate": "listed"}


def test_the_same_listing_again_changes_nothing() -> None:
    shop = Shop()
    shop.do(list_as(a_listing()))

    outcome = shop.ask(list_as(a_listing()))

    assert list(outcome.events) == []
    assert outcome.answer == {"fate": "unchanged"}


def test_another_price_changes_the_listing() -> None:
    shop = Shop()
    shop.do(list_as(a_listing()))
    dearer = a_listing(price=yuan(6_000))

    outcome = shop.ask(list_as(dearer))

    assert outcome.events == [ProductChanged(sku=SKU, listing=dearer)]
    assert outcome.answer == {"fate": "changed"}
    shop.given(outcome.events)
    assert shop.state.listing == dearer


def test_a_dry_run_tells_the_fate_and_does_nothing() -> None:
    outcome = Shop().ask(list_as(a_listing(), dry_run=True))

    assert list(outcome.events) == []
    assert outcome.answer == {"fate": "listed"}


@pytest.mark.parametrize(
    ("listing", "code"),
    [
        (a_listing(sku="OTHER"), "sku-mismatch"),
        (a_listing(price=yuan(0)), "price-not-positive"),
        (a_listing(price=yuan(-1)), "price-not-positive"),
        (a_listing(tiers=(Tier(from_quantity=10, price=yuan(0)),)), "price-not-positive"),
        (a_listing(tiers=(Tier(from_quantity=10, price=yuan(9, "USD")),)), "mixed-currency"),
        (a_listing(cost=yuan(9, "USD")), "mixed-currency"),
        (a_listing(cost=yuan(-1)), "negative-cost"),
        (
            a_listing(tiers=(Tier(from_quantity=10, price=yuan(9)), Tier(from_quantity=10, price=yuan(8)))),
            "tiers-not-increasing",
        ),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_an_unacceptable_listing_is_refused(listing: Listing, code: str, dry_run: bool) -> None:
    with pytest.raises(Refused) as refusal:
        Shop().ask(list_as(listing, dry_run=dry_run))

    assert (refusal.value.code, refusal.value.status) == (code, 422)


def test_a_price_below_cost_and_a_foreign_face_value_are_allowed() -> None:
    listing = a_listing(cost=yuan(9_000), face_value=yuan(1_000, "USD"))

    assert Shop().do(list_as(listing)) == [ProductListed(sku=SKU, listing=listing)]


def test_a_product_goes_off_sale_and_on_again() -> None:
    shop = Shop()
    shop.do(list_as(a_listing()))

    assert shop.do(SetSale(sku=SKU, on_sale=True)) == []
    assert shop.do(SetSale(sku=SKU, on_sale=False)) == [ProductTakenOffSale(sku=SKU)]
    assert shop.do(SetSale(sku=SKU, on_sale=False)) == []
    assert shop.do(SetSale(sku=SKU, on_sale=True)) == [ProductPutOnSale(sku=SKU)]
    assert shop.state == Product(listing=a_listing())


def test_an_unlisted_product_can_not_be_put_on_sale() -> None:
    with pytest.raises(Refused) as refusal:
        Shop().ask(SetSale(sku=SKU, on_sale=True))

    assert (refusal.value.code, refusal.value.status) == ("unknown-sku", 404)
