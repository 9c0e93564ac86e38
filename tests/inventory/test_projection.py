from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.event import listen

from services.inventory.projection import BLOCK, BLOCKS_KEPT, InventoryProjection
from shared.contracts import Event
from shared.contracts.inventory import KeysLoaded, StockSettled
from shared.eventstore.recorded import RecordedEvent
from tests.databases import in_memory
from tests.inventory.builders import NOW, SKU, sealed


@pytest.fixture
def connection() -> Iterator[sa.Connection]:
    with in_memory().connect() as opened:
        InventoryProjection.metadata.create_all(opened)
        opened.commit()
        yield opened


@pytest.fixture
def projection(connection: sa.Connection) -> InventoryProjection:
    return InventoryProjection(lambda: connection)


def fold(projection: InventoryProjection, event: Event) -> None:
    recorded = RecordedEvent(
        "inventory", 1, f"product-{SKU}", 1, "e1", event.type(), event.model_dump_json(), "{}", NOW
    )
    projection.apply(event, recorded)


def loaded(*names: str, first: int = 1, sku: str = SKU) -> KeysLoaded:
    return KeysLoaded(sku=sku, batch_id="b1", first=first, keys=sealed(*names))


def many(count: int, first: int = 1, sku: str = SKU) -> KeysLoaded:
    return loaded(*(f"{sku}-{number}" for number in range(first, first + count)), first=first, sku=sku)


def commit(projection: InventoryProjection, connection: sa.Connection) -> None:
    projection.flush()
    connection.commit()
    projection.committed()


class Queries:
    """Counts the statements that reach the database."""

    def __init__(self, connection: sa.Connection) -> None:
        self.count = 0
        listen(connection, "before_cursor_execute", self._see)

    def _see(self, *_: object) -> None:
        self.count += 1


def test_keys_loaded_in_this_batch_are_known_under_every_sku(projection: InventoryProjection) -> None:
    fold(projection, loaded("a", "b", sku="OTHER"))

    assert projection.known(["hash-a", "hash-c"]) == {"hash-a"}


def test_keys_are_known_after_a_restart(projection: InventoryProjection, connection: sa.Connection) -> None:
    fold(projection, many(1_200))
    commit(projection, connection)

    restarted = InventoryProjection(lambda: connection)

    assert len(restarted.known(key.index for key in many(1_300).keys)) == 1_200
    assert restarted.box(SKU, 1_200) == f"box-{SKU}-1200"


def test_a_rolled_back_load_is_forgotten(projection: InventoryProjection, connection: sa.Connection) -> None:
    fold(projection, loaded("a"))
    assert projection.box(SKU, 1) == "box-a"
    projection.flush()
    connection.rollback()
    projection.forget()

    assert projection.known(["hash-a"]) == frozenset()
    fold(projection, loaded("b"))
    assert projection.box(SKU, 1) == "box-b"


def test_a_block_of_boxes_costs_one_query(projection: InventoryProjection, connection: sa.Connection) -> None:
    fold(projection, many(2 * BLOCK))
    commit(projection, connection)
    restarted = InventoryProjection(lambda: connection)
    queries = Queries(connection)

    boxes = [restarted.box(SKU, number) for number in range(1, BLOCK + 1)]

    assert boxes == [f"box-{SKU}-{number}" for number in range(1, BLOCK + 1)]
    assert queries.count == 1


def test_keys_that_join_a_block_already_read_are_found(
    projection: InventoryProjection, connection: sa.Connection
) -> None:
    fold(projection, many(3))
    assert projection.box(SKU, 3) == f"box-{SKU}-3"

    fold(projection, many(2, first=4))

    assert projection.box(SKU, 5) == f"box-{SKU}-5"
    with pytest.raises(KeyError):
        projection.box(SKU, 6)


def test_the_memory_for_boxes_is_bounded(projection: InventoryProjection, connection: sa.Connection) -> None:
    products = BLOCKS_KEPT + 3
    for product in range(products):
        fold(projection, many(1, sku=f"S{product}"))
    commit(projection, connection)
    for product in range(products):
        projection.box(f"S{product}", 1)
    projection.committed()
    queries = Queries(connection)

    projection.box(f"S{products - 1}", 1)
    assert queries.count == 0
    assert projection.box("S0", 1) == "box-S0-1"
    assert queries.count == 1


def test_a_sold_key_names_its_order(projection: InventoryProjection, connection: sa.Connection) -> None:
    fold(projection, StockSettled(sku=SKU, order_id="o1", line=1, numbers=(1, 3)))
    assert projection.sold_to(SKU, 3) == "o1"
    commit(projection, connection)

    restarted = InventoryProjection(lambda: connection)

    assert [restarted.sold_to(SKU, number) for number in (1, 2, 3)] == ["o1", None, "o1"]
