"""What was sold, by product, kept in a file and always up to date.

It asks the feed of a gateway alone, or, when there is a broker, reads the feed once and goes on with a queue.
"""

from __future__ import annotations

import logging
import os
import sys

from kameng_subscriber import Event, Feed, Queue, SqlitePlace, Subscriber, SubscriberError
from kameng_subscriber.events.order import OrderCompleted, OrderPlaced

TABLES = """
CREATE TABLE IF NOT EXISTS lines (order_id TEXT, line INTEGER, sku TEXT, quantity INTEGER, fen INTEGER);
CREATE TABLE IF NOT EXISTS sold (sku TEXT PRIMARY KEY, quantity INTEGER NOT NULL, fen INTEGER NOT NULL);
"""
SALE = """
INSERT INTO sold SELECT sku, sum(quantity), sum(fen) FROM lines WHERE order_id = ? GROUP BY sku
ON CONFLICT DO UPDATE SET quantity = quantity + excluded.quantity, fen = fen + excluded.fen
"""
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
logging.getLogger("pika").setLevel(logging.CRITICAL)

place = SqlitePlace("sales.sqlite3")
place.connection.executescript(TABLES)


def handle(event: Event) -> None:
    """Whatever this writes commits together with the event's being handled: once, whatever is sent again."""
    match event.data:
        case OrderPlaced(order_id=order_id, lines=lines):
            rows = [(order_id, line.line, line.sku, line.quantity, line.amount.amount) for line in lines]
            place.connection.executemany("INSERT INTO lines VALUES (?, ?, ?, ?, ?)", rows)
        case OrderCompleted(order_id=order_id):
            place.connection.execute(SALE, (order_id,))
            print(f"{event.time:%H:%M:%S} order {order_id} is completed", flush=True)


def main() -> None:
    feed = Feed(os.environ["KAMENG_URL"], os.environ["KAMENG_USERNAME"], os.environ["KAMENG_PASSWORD"])
    broker = os.environ.get("KAMENG_AMQP_URL")
    queue = Queue(broker, "sales") if broker else None
    only = ("order.OrderPlaced.*", "order.OrderCompleted.*")
    try:
        Subscriber(handle, feed=feed, queue=queue, place=place, only=only).run()
    except SubscriberError as error:
        sys.exit(str(error))
    for sku, quantity, fen in place.connection.execute("SELECT * FROM sold ORDER BY fen DESC LIMIT 5"):
        print(f"{sku:24} {quantity:6} {fen / 100:12.2f}")


if __name__ == "__main__":
    main()
