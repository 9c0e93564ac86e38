"""A subscriber in a process of its own that writes down every event in the order in which it was handled.

It is given the gateway's URL, a password, the broker's URL and its file.
"""

from __future__ import annotations

import logging
import sys

from kameng_subscriber import Event, Feed, Queue, SqlitePlace, Subscriber

NAME = "everything"
TABLE = "CREATE TABLE IF NOT EXISTS seen (number INTEGER PRIMARY KEY, source TEXT, sequence INTEGER, key TEXT, id TEXT)"


def main(url: str, password: str, amqp_url: str, path: str) -> None:
    logging.basicConfig(level=logging.INFO)
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    place = SqlitePlace(path)
    place.connection.execute(TABLE)

    def handle(event: Event) -> None:
        row = (event.source, event.sequence, event.partition_key, event.id)
        place.connection.execute("INSERT INTO seen (source, sequence, key, id) VALUES (?, ?, ?, ?)", row)

    Subscriber(handle, feed=Feed(url, NAME, password), queue=Queue(amqp_url, NAME), place=place).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
