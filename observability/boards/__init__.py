"""The dashboards as code: `make generate` makes `dashboards/*.json` of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from observability.boards import broker_and_database, log_and_relay, money_and_stock, overview, service
from observability.boards.panels import Board

BOARDS: Mapping[str, Callable[[], Board]] = {
    "overview": overview.board,
    "service": service.board,
    "log-and-relay": log_and_relay.board,
    "broker-and-database": broker_and_database.board,
    "money-and-stock": money_and_stock.board,
}
