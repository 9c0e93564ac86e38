"""Writers as processes of their own: stopped, killed, frozen, replaced."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

from deploy.local.rabbitmq import RabbitMQ
from tests.runtime.cluster.builders import Caller, FakeLog, Ground, Replica
from tests.runtime.toy import (
    ToyCallEnded,
    ToyLight,
    ToyLit,
    ToyPress,
    ToyPressed,
)
from tests.waiting import wait_for

Start = Callable[..., Replica]


def presses(count: int) -> dict[str, ToyPress]:
    return {f"press-{n}": ToyPress(button=f"b{n % 10}") for n in range(count)}


@contextmanager
def load(caller: Caller, commands: dict[str, ToyPress]) -> Iterator[Thread]:
    """Meanwhile, the commands are sent one by one; at the end all of them have been."""

    def send() -> None:
        for id_, command in commands.items():
            caller.ask({id_: command})

    thread = Thread(target=send, daemon=True)
    thread.start()
    yield thread
    thread.join()


def lamps_called(ground: Ground) -> set[str]:
    """The lamps whose call has ended."""
    return {event.lamp for event in ground.events("lamp") if isinstance(event, ToyCallEnded)}


def check_pressed_once(ground: Ground, caller: Caller, commands: dict[str, ToyPress]) -> None:
    """Each command has its reply, all of its replies are the same, and the log holds its event once."""
    positions = set()
    for id_ in commands:
        outcomes = {(reply.outcome, reply.position) for reply in caller.answered[id_]}
        assert len(outcomes) == 1
        positions |= outcomes
    assert positions == {("accepted", n + 1) for n in range(len(commands))}
    assert len(ground.events("button")) == len(commands)


def test_a_process_answers_and_tells_how_it_does(replica: Start, ground: Ground) -> None:
    process = replica("BUTTON").wait_ready()
    with Caller(ground.servers.amqp_url, "button") as caller:
        caller.insist(presses(5))
    answers = {path: process.get(path) for path in ("/healthz", "/readyz", "/metrics", "/nothing")}

    assert {path: answer.status_code for path, answer in answers.items() if answer} == {
        "/healthz": 200,
        "/readyz": 200,
        "/metrics": 200,
        "/nothing": 404,
    }
    assert answers["/metrics"]
    assert 'kameng_log_head{service="button"} 5.0' in answers["/metrics"].text


def test_a_stopped_process_settles_what_it_has_taken(replica: Start, ground: Ground) -> None:
    """It answers all of what it took from the broker, and leaves the rest there, for its successor."""
    process, sent = replica("BUTTON").wait_ready(), presses(300)
    with Caller(ground.servers.amqp_url, "button") as caller, load(caller, sent):
        wait_for(lambda: len(caller.answered) > 50, "some answers")
        process.signal(signal.SIGTERM)
        assert process.wait() == 0
        replica("BUTTON").wait_ready()
        wait_for(lambda: len(caller.answered) == 300, "the other answers")

        check_pressed_once(ground, caller, sent)
        assert not any(reply.repeated for answers in caller.answered.values() for reply in answers)


def test_a_killed_process_loses_nothing_it_answered(replica: Start, ground: Ground) -> None:
    process, sent = replica("BUTTON").wait_ready(), presses(600)
    with Caller(ground.servers.amqp_url, "button") as caller:
        with load(caller, sent):
            for answered in (100, 300):
                wait_for(lambda enough=answered: len(caller.answered) > enough, "some answers")
                process.kill()
                process = replica("BUTTON").wait_ready()
        caller.insist(sent)

        check_pressed_once(ground, caller, sent)


def test_a_killed_reader_applies_every_slice_once(replica: Start, ground: Ground) -> None:
    def lit() -> list[str]:
        return [event.note for event in ground.events("lamp") if isinstance(event, ToyLit)]

    with FakeLog(ground.servers.amqp_url) as log:
        for kill_at in (150, 300):
            process = replica("LAMP").wait_ready()
            for n in range(kill_at - 150, kill_at):
                log.notes += [(f"b{n % 7}", f"n{n}")]
                log.publish(log.part(n + 1, n + 1))
            wait_for(lambda enough=kill_at: len(lit()) > enough - 60, "some progress")
            process.kill()
        replica("LAMP").wait_ready()
        wait_for(lambda: len(lit()) == 300, "all of it")

        assert lit() == [note for _, note in log.notes]


def test_a_standby_takes_over_from_a_killed_leader(replica: Start, ground: Ground) -> None:
    leader, standby = replica("BUTTON").wait_ready(), replica("BUTTON").wait_ready("standby")
    sent = presses(300)
    with Caller(ground.servers.amqp_url, "button") as caller:
        with load(caller, sent):
            wait_for(lambda: len(caller.answered) > 50, "some answers")
            leader.kill()
            standby.wait_ready()
        caller.insist(sent)

        check_pressed_once(ground, caller, sent)


def test_a_frozen_leader_is_replaced_and_fenced_when_it_wakes(replica: Start, ground: Ground) -> None:
    frozen, standby = replica("BUTTON").wait_ready(), replica("BUTTON").wait_ready("standby")
    sent = presses(400)
    with Caller(ground.servers.amqp_url, "button") as caller:
        with load(caller, sent):
            wait_for(lambda: len(caller.answered) > 50, "some answers")
            frozen.signal(signal.SIGSTOP)
            standby.wait_ready()
            frozen.signal(signal.SIGCONT)
            frozen.wait_ready("standby")
        caller.insist(sent)

        check_pressed_once(ground, caller, sent)
        assert [line["error"] for line in frozen.logged("the lead is lost, starting over")] != []


def test_calls_are_made_many_at_once_and_hold_nothing_up(replica: Start, ground: Ground) -> None:
    with World() as world, Caller(ground.servers.amqp_url, "lamp") as caller:
        process = replica("LAMP", world=world.port).wait_ready()
        caller.insist({f"{n}": ToyLight(lamp=f"l{n}", press="p", note="call") for n in range(40)})
        wait_for(lambda: len(world.waiting) == 32, "as many calls as may be made at once")

        assert process.is_ready("leader")
        assert caller.insist({"more": ToyLight(lamp="a", press="p")})["more"].outcome == "accepted"
        world.answer(32)
        wait_for(lambda: len(world.waiting) == 8, "the other calls")
        world.answer(8)
        lamps = {f"l{n}" for n in range(40)}
        wait_for(lambda: lamps_called(ground) == lamps, "every result")


def test_a_stopped_process_waits_for_the_calls_under_way(replica: Start, ground: Ground) -> None:
    with World() as world, Caller(ground.servers.amqp_url, "lamp") as caller:
        process = replica("LAMP", world=world.port).wait_ready()
        caller.insist({"1": ToyLight(lamp="a", press="p", note="call")})
        wait_for(lambda: world.waiting, "a call")
        process.signal(signal.SIGTERM)
        wait_for(lambda: not process.is_ready("leader"), "the beginning of its end")
        world.answer(1)

        assert process.wait() == 0
        assert lamps_called(ground) == {"a"}


def test_a_restarted_broker_is_found_again(replica: Start, ground: Ground, rabbitmq: RabbitMQ) -> None:
    process, sent = replica("BUTTON").wait_ready(), presses(20)
    with Caller(ground.servers.amqp_url, "button") as caller:
        caller.insist(sent)
    rabbitmq.kill()
    wait_for(lambda: (answer := process.get("/readyz")) and answer.status_code == 503, "a process that is not ready")
    rabbitmq.up()
    process.wait_ready()
    with Caller(ground.servers.amqp_url, "button") as caller:
        caller.insist({**sent, "new": ToyPress(button="a")})

        assert [caller.answered[id_][0].repeated for id_ in ("press-0", "new")] == [True, False]
    assert ground.events("button")[-1] == ToyPressed(button="a")


def test_a_process_without_a_database_waits_for_it(replica: Start, ground: Ground) -> None:
    here, ground.url = ground.url, ground.url.rpartition("@")[0] + "@127.0.0.1:1/nowhere"
    process = replica("BUTTON")
    wait_for(lambda: process.get("/healthz"), "a process")
    ground.url = here
    answer = process.get("/readyz")

    assert answer is not None
    assert (answer.status_code, answer.json()["database"]) == (503, False)
    process.signal(signal.SIGTERM)
    assert process.wait() == 0


class World:
    """The world outside: takes calls, and answers when told to."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.waiting: list[socket.socket] = []

    def __enter__(self) -> World:
        Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                self.waiting.append(self._listener.accept()[0])
            except OSError:
                return

    def answer(self, count: int) -> None:
        """To so many of those who wait."""
        for _ in range(count):
            with self.waiting.pop(0) as one:
                one.sendall(b"ok")
