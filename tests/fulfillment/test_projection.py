from collections.abc import Iterator
from datetime import timedelta

import pytest

from services.fulfillment.domain.keys import keys_to_open
from services.fulfillment.domain.routing import Health
from services.fulfillment.projection import FulfillmentProjection
from shared.contracts import Event
from shared.contracts.fulfillment import DeliveryHandedOver
from shared.eventstore.recorded import RecordedEvent
from tests.databases import in_memory
from tests.fulfillment.builders import NOW, OPENED, after, deliver, deliver_by, given, report, take


@pytest.fixture
def projection() -> Iterator[FulfillmentProjection]:
    with in_memory().begin() as connection:
        FulfillmentProjection.metadata.create_all(connection)
        yield FulfillmentProjection(lambda: connection)


def fold(projection: FulfillmentProjection, events: list[Event], seconds: int = 0) -> None:
    """Fold events written that long after NOW, as a batch, and read the rest from the database."""
    for event in events:
        at = NOW + timedelta(seconds=seconds)
        projection.apply(event, RecordedEvent("fulfillment", 1, "delivery-1", 1, "id", event.type(), "", "", at, event))
    projection.flush()
    projection.forget()


def test_a_key_delivered_elsewhere_is_noticed(projection: FulfillmentProjection) -> None:
    fold(projection, given(take(), (deliver(), OPENED)))

    same = keys_to_open(deliver(), after(given(take())))
    other = keys_to_open(deliver().model_copy(update={"delivery_id": "order-2/1"}), after(given(take())))
    assert same is not None
    assert other is not None
    assert projection.delivered_before(same) == ()
    assert projection.delivered_before(other) == (1, 2)


def test_failures_in_a_row_are_counted_until_a_success(projection: FulfillmentProjection) -> None:
    failed = given(deliver_by("north", "south"), report("north", "failed"))
    fold(projection, failed)
    fold(projection, failed, seconds=5)
    assert projection.health(["north", "south"]) == {"north": Health(2, NOW + timedelta(seconds=5))}

    fold(projection, given(deliver_by("north"), report("north", "done")), seconds=9)
    assert projection.health(["north"]) == {"north": Health(0, NOW + timedelta(seconds=5), NOW + timedelta(seconds=9))}


def test_an_unknown_outcome_counts_against_its_supplier(projection: FulfillmentProjection) -> None:
    over = DeliveryHandedOver(delivery_id="order-1/1", order_id="order-1", line=1, sku="sku-1", reason="?")
    fold(projection, [over, over.model_copy(update={"supplier": "north"})])

    assert projection.health(["north"]) == {"north": Health(1, NOW)}
