import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from tests.amounts import minor
from tests.inventory.builders import SKU, Shop, a_listing


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
    dearer = a_listing(price=minor(6_000))

    outcome = shop.ask(list_as(dearer))

    assert outcome.events == [ProductChanged(sku=SKU, listing=dearer)]
    changes = {"price": [minor(5_000).model_dump(), minor(6_000).model_dump()]}
    assert outcome.answer == {"fate": "changed", "changes": changes}
    shop.given(outcome.events)
    assert shop.state.listing == dearer


FULL = a_listing(
    kind="membership",
    source="supplier",
    category=("a", "b"),
    tags=("t",),
    face_value=minor(900),
    tiers=(Tier(from_quantity=10, price=minor(4_000)),),
    cost=minor(3_000),
    suppliers=("alpha",),
    per_order_limit=7,
    low_stock_threshold=20,
)


@given(st.sets(st.sampled_from(sorted(set(Listing.model_fields) - {"sku"}))), st.booleans())
def test_what_a_command_does_not_name_stays_as_it_is(named: set[str], on_sale: bool) -> None:
    shop = Shop()
    shop.do(list_as(FULL))
    shop.do(SetSale(sku=SKU, on_sale=on_sale))
    before, said = shop.state.listing, a_listing(name="New", price=minor(6_000), on_sale=not on_sale)
    assert before is not None

    outcome = shop.ask(ListProduct(sku=SKU, listing=said, named=tuple(named)))
    shop.given(outcome.events)

    after = shop.state.listing
    assert after is not None
    for field in Listing.model_fields:
        assert getattr(after, field) == getattr(said if field in named else before, field)
    changes = outcome.answer.get("changes", {})
    assert set(changes) == {field for field in Listing.model_fields if getattr(before, field) != getattr(after, field)}


def test_a_new_product_takes_the_defaults_of_what_is_not_named() -> None:
    listed = Shop().do(ListProduct(sku=SKU, listing=a_listing(), named=("name", "price"), default_currency=True))

    assert listed == [ProductListed(sku=SKU, listing=a_listing())]


def test_amounts_without_a_currency_never_change_that_of_a_product() -> None:
    shop = Shop()
    shop.do(list_as(a_listing(price=minor(9, "USD"))))

    with pytest.raises(Refused) as refusal:
        shop.ask(ListProduct(sku=SKU, listing=a_listing(), named=("price",), default_currency=True))

    assert (refusal.value.code, refusal.value.status) == ("currency-not-named", 422)


def test_a_named_price_must_fit_the_cost_and_tiers_that_stay() -> None:
    shop = Shop()
    shop.do(list_as(FULL))

    with pytest.raises(Refused, match="tier"):
        shop.ask(ListProduct(sku=SKU, listing=a_listing(price=minor(9, "USD")), named=("price",)))


TIERED = a_listing(price=minor(10), tiers=(Tier(from_quantity=10, price=minor(9)),))


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_price_can_not_fall_below_the_tiers_that_stay(dry_run: bool) -> None:
    shop = Shop()
    shop.do(list_as(TIERED))
    cut = ListProduct(sku=SKU, listing=a_listing(price=minor(5)), named=("name", "price"), dry_run=dry_run)

    with pytest.raises(Refused, match="costs more than the price; change the tiers with it") as refusal:
        shop.ask(cut)

    assert (refusal.value.code, refusal.value.status) == ("tier-above-price", 422)
    assert shop.state.listing == TIERED


def test_a_price_falls_with_its_tiers_or_to_where_they_are() -> None:
    for price, tiers in ((5, (Tier(from_quantity=10, price=minor(4)),)), (9, TIERED.tiers), (5, ())):
        shop = Shop()
        shop.do(list_as(TIERED))
        lower = a_listing(price=minor(price), tiers=tiers)

        assert shop.do(list_as(lower)) == [ProductChanged(sku=SKU, listing=lower)]


def test_what_was_listed_with_a_tier_above_the_price_stays_listed_until_its_prices_change() -> None:
    shop, former = Shop(), a_listing(price=minor(5), tiers=TIERED.tiers)
    shop.given([ProductListed(sku=SKU, listing=former)])

    assert shop.ask(list_as(former)).answer == {"fate": "unchanged"}
    renamed = former.model_copy(update={"name": "New"})
    assert shop.do(list_as(renamed)) == [ProductChanged(sku=SKU, listing=renamed)]
    assert shop.do(SetSale(sku=SKU, on_sale=False)) == [ProductTakenOffSale(sku=SKU)]
    assert shop.do(SetSale(sku=SKU, on_sale=True)) == [ProductPutOnSale(sku=SKU)]
    with pytest.raises(Refused, match="tier"):
        shop.ask(list_as(former.model_copy(update={"price": minor(6)})))


def test_a_dry_run_tells_the_fate_and_does_nothing() -> None:
    outcome = Shop().ask(list_as(a_listing(), dry_run=True))

    assert list(outcome.events) == []
    assert outcome.answer == {"fate": "listed"}


@pytest.mark.parametrize(
    ("listing", "code"),
    [
        (a_listing(sku="OTHER"), "sku-mismatch"),
        (a_listing(price=minor(0)), "price-not-positive"),
        (a_listing(price=minor(-1)), "price-not-positive"),
        (a_listing(tiers=(Tier(from_quantity=10, price=minor(0)),)), "price-not-positive"),
        (a_listing(tiers=(Tier(from_quantity=10, price=minor(9, "USD")),)), "mixed-currency"),
        (a_listing(price=minor(5), tiers=(Tier(from_quantity=10, price=minor(9)),)), "tier-above-price"),
        (a_listing(cost=minor(9, "USD")), "mixed-currency"),
        (a_listing(cost=minor(-1)), "negative-cost"),
        (
            a_listing(tiers=(Tier(from_quantity=10, price=minor(9)), Tier(from_quantity=10, price=minor(8)))),
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
    listing = a_listing(cost=minor(9_000), face_value=minor(1_000, "USD"))

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


def test_a_product_is_listed_in_a_currency_that_the_shop_trades_in():
    shop = Shop()
    with pytest.raises(Refused) as no:
        shop.do(list_as(a_listing(price=minor(1_500, "KWD"))))
    assert (no.value.code, no.value.status) == ("currency-not-traded", 422)
    assert shop.do(list_as(a_listing(price=minor(500, "JPY"))))
