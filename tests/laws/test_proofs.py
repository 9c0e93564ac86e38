"""The four proofs of `kameng verify`, over logs in files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from cli.proofs import Logs, Proof, prove
from services.ledger.projection import accounts
from services.ledger.service import SERVICE as LEDGER
from shared.contracts import Event
from shared.contracts.fulfillment import SupplierStatementRecorded
from shared.contracts.ledger import PaymentRequested
from shared.eventstore import log, schema
from shared.eventstore.engines import open_engine
from shared.projections import versions
from shared.runtime.embedded import database_url
from tests.amounts import minor
from tests.laws.builders import captured, deposited, held, keys_delivered, placed, record, sale

NAMES = ("inventory", "fulfillment", "order", "ledger", "risk")
HOLDS = {"keys_once": True, "paid_ended": True, "ledger_balanced": True, "rebuild_equal": True}


@dataclass
class Files:
    """Logs in a folder, and the ledger's tables: open to read."""

    folder: Path
    logs: Logs

    @contextmanager
    def writing(self, service: str) -> Iterator[sa.Connection]:
        engine = open_engine(database_url(self.folder, service), writer=True)
        with engine.begin() as connection:
            yield connection
        engine.dispose()

    def write(self, *events: Event) -> None:
        """Write the logs, and fold the ledger's into its tables."""
        for recorded in record(events):
            with self.writing(recorded.source) as connection:
                log.append(connection, log.read_head(connection), [recorded])
                if recorded.source == "ledger":
                    projection = LEDGER.projection(lambda connection=connection: connection)
                    projection.apply(recorded.event, recorded)
                    projection.flush()


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    files = Files(tmp_path, {})
    for name in NAMES:
        with files.writing(name) as connection:
            log.create(connection)
            if name == "ledger":
                LEDGER.projection.metadata.create_all(connection)
                versions.begin(connection, LEDGER.projection)
        files.logs[name] = open_engine(database_url(tmp_path, name), writer=False)
    yield files
    for engine in files.logs.values():
        engine.dispose()


def outcome(proofs: list[Proof]) -> dict[str, bool]:
    return {proof.name: proof.ok for proof in proofs}


def detail(proofs: list[Proof], name: str) -> str:
    (found,) = (proof.detail for proof in proofs if proof.name == name)
    return found


REQUESTED = PaymentRequested(
    payment_id="o-1", account="order:o-1", amount=minor(1_000), channel="wechat", order_id="o-1"
)
HISTORY: tuple[Event, ...] = (REQUESTED, *sale("o-1", 1))


def test_what_is_right_is_proven_step_by_step(files: Files) -> None:
    files.write(*HISTORY)
    steps: list[str] = []

    proofs = prove([LEDGER], files.logs, steps.append)

    assert steps == ["keys", "ledger", "orders", "ledger"]
    assert outcome(proofs) == HOLDS
    assert [proof.detail for proof in proofs] == ["1 keys", "1 orders", "4 entries", "7 events"]


@pytest.mark.parametrize(
    ("further", "name", "complaint"),
    [
        (keys_delivered("o-2", 1), "keys_once", "key 1 of CARD went to o-2/1 and was delivered before (fulfillment 2)"),
        (captured("o-1", 300), "paid_ended", "o-1 was captured twice (ledger 8)"),
        (captured("o-1", 300), "ledger_balanced", "o-1 was freed and not held (ledger 8)"),
    ],
)
def test_a_broken_law_breaks_its_proof(files: Files, further: Event, name: str, complaint: str) -> None:
    files.write(*HISTORY, further)

    proofs = prove([], files.logs)

    assert not outcome(proofs)[name]
    assert complaint in detail(proofs, name)


def test_orders_under_way_are_counted_while_at_work(files: Files) -> None:
    files.write(*HISTORY, deposited("wallet:a", 500), placed("o-2"), held("o-2", 500, "wallet:a"))

    at_work, at_rest = prove([], files.logs, drained=False), prove([], files.logs, drained=True)

    assert outcome(at_work) == HOLDS
    assert detail(at_work, "paid_ended") == "2 orders, 1 under way"
    assert outcome(at_rest) == HOLDS | {"paid_ended": False}
    assert detail(at_rest, "paid_ended") == "o-2 is paid and not ended"


def test_what_a_supplier_said_and_nobody_owns_is_named(files: Files) -> None:
    said = {"delivery_id": "o-1/1", "order_id": "o-1", "line": 1, "sku": "CARD", "supplier": "north", "statement": 1}
    rest = {"request_id": "o-1/1#north", "finding": "late-success", "outcome": "done", "supplier_ref": "", "reason": ""}
    late = SupplierStatementRecorded.model_validate({**said, **rest, "cost": minor(4_700), "bill": minor(4_700)})
    files.write(*HISTORY, late)

    proofs = prove([], files.logs)

    assert outcome(proofs) == HOLDS | {"paid_ended": False}
    for complaint in ("the bill o-1/1/s1 of north is not in the books", "north said of o-1/1 what does not fit"):
        assert complaint in detail(proofs, "paid_ended")


def test_what_is_held_for_an_order_that_was_lost_is_named(files: Files) -> None:
    files.write(*HISTORY, deposited("wallet:a", 500), held("o-2", 500, "wallet:a"))

    proofs = prove([], files.logs, drained=False)

    assert outcome(proofs) == HOLDS | {"paid_ended": False}
    assert "the log of order does not know order o-2: 5.00 CNY are held on wallet:a" in detail(proofs, "paid_ended")


def test_a_balance_without_an_entry_breaks_the_ledgers_proof(files: Files) -> None:
    files.write(*HISTORY)
    with files.writing("ledger") as connection:
        connection.execute(sa.update(accounts).where(accounts.c.account == "revenue:main").values(posted=-999))

    assert outcome(prove([], files.logs)) == HOLDS | {"ledger_balanced": False}


def test_what_rests_on_a_changed_log_is_not_proven(files: Files) -> None:
    files.write(*HISTORY)
    with files.writing("order") as connection:
        connection.execute(sa.update(schema.log).where(schema.log.c.position == 2).values(data="no JSON"))

    proofs = prove([LEDGER], files.logs)

    assert outcome(proofs) == HOLDS | {"paid_ended": False, "rebuild_equal": False}
    assert detail(proofs, "paid_ended") == "order: the log was changed at position 2"
