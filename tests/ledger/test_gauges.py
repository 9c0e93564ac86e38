"""What the ledger's tables tell Prometheus."""

from __future__ import annotations

import sqlalchemy as sa

from services.ledger import metrics
from services.ledger.projection import accounts, metadata
from shared.runtime.settings import Settings
from tests.telemetry.test_happened import NOON


def gauges(engine: sa.Engine, *rows: tuple[str, str, int, int]) -> dict[object, float]:
    """Each figure by metric and labels, of accounts with name, currency, posted and held."""
    metadata.create_all(engine)
    columns = ("account", "currency", "posted", "held")
    with engine.begin() as connection:
        for row in rows:
            connection.execute(sa.insert(accounts).values(dict(zip(columns, row, strict=True)) | {"type": "wallet"}))
    with engine.connect() as connection:
        return {(metric, *labels): value for metric, labels, value in metrics.gauges(connection, NOON, Settings())}


def test_books_without_an_account_balance(engine: sa.Engine) -> None:
    assert gauges(engine) == {(metrics.LEDGER_IMBALANCE,): 0}


def test_held_money_is_reported_by_currency(engine: sa.Engine) -> None:
    rows = [("wallet:a", "CNY", -500, 300), ("channel:x", "CNY", 500, 0), ("wallet:a", "USD", 0, 20)]

    assert gauges(engine, *rows) == {
        (metrics.LEDGER_IMBALANCE,): 0,
        (metrics.HELD, "CNY"): 300,
        (metrics.HELD, "USD"): 20,
    }


def test_errors_in_two_currencies_do_not_make_up_for_each_other(engine: sa.Engine) -> None:
    found = gauges(engine, ("wallet:a", "CNY", -7, 0), ("wallet:a", "USD", 7, 0))

    assert found[metrics.LEDGER_IMBALANCE,] == 14
