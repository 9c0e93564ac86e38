"""`python -m kameng_subscriber`: the dead letters of a queue, and its end."""

from __future__ import annotations

import argparse
import os
import sys

from kameng_subscriber.amqp import Queue, explained
from kameng_subscriber.dead import DeadLetters
from kameng_subscriber.errors import SubscriberError


def main(arguments: list[str] | None = None) -> int:
    """1 when it can't be done."""
    told = _parser().parse_args(arguments)
    if not told.amqp_url:
        print("give --amqp-url, or set KAMENG_AMQP_URL", file=sys.stderr)
        return 1
    try:
        queue = Queue(told.amqp_url, told.queue)
        match told.command:
            case "dead":
                _list(DeadLetters(queue), told.most)
            case "redrive":
                print(f"{DeadLetters(queue).redrive(told.most)} put back into {queue.name}")
            case _:
                _delete(queue)
    except SubscriberError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m kameng_subscriber", description=__doc__)
    parser.add_argument("--amqp-url", default=os.environ.get("KAMENG_AMQP_URL", ""), help="or KAMENG_AMQP_URL")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, told in (
        ("dead", "list dead letters, the oldest first; they stay"),
        ("redrive", "put dead letters back into the queue, the oldest first"),
        ("delete", "delete the queue and its dead letters, when the subscriber is given up"),
    ):
        command = commands.add_parser(name, help=told, description=told)
        command.add_argument("queue", help="the subscriber's queue")
        if name != "delete":
            command.add_argument("--most", type=int, default=100 if name == "dead" else None, help="no more than these")
    return parser


def _list(dead: DeadLetters, most: int) -> None:
    letters = dead.look(most)
    for letter in letters:
        where = f"{letter.event.source} {letter.event.sequence}" if letter.event else "unreadable"
        print(f"{letter.key or '?'}\t{where}\t{letter.reason}\t{letter.id}")
    print(f"{len(letters)} shown", file=sys.stderr)


def _delete(queue: Queue) -> None:
    with explained(queue.name), queue.connect() as connection:
        channel = connection.channel()
        for name in (queue.name, queue.dead):
            count = channel.queue_delete(name).method.message_count
            print(f"{name} deleted, with {count} messages")
        channel.exchange_delete(queue.name)


if __name__ == "__main__":
    sys.exit(main())
