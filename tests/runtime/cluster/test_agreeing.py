"""A log that was set back under its readers, on a real PostgreSQL and RabbitMQ."""

from __future__ import annotations

from shared.eventstore import checkpoints
from shared.messages.messages import HALTED
from shared.messages.wire import KnownPosition, encode
from shared.runtime.cluster.writer_process import WriterProcess, WriterReadiness
from tests.runtime.cluster.builders import Caller, FakeLog, Ground, in_process
from tests.runtime.toy import ToyPress, button, lamp
from tests.waiting import wait_for


def readiness(process: WriterProcess) -> WriterReadiness:
    return process.readiness()


def test_the_owner_decides_nothing_once_a_reader_knows_more(ground: Ground) -> None:
    with Caller(ground.servers.amqp_url, "button") as caller, in_process(button(), ground) as process:
        caller.insist({"1": ToyPress(button="a"), "2": ToyPress(button="a")})
        caller.send(encode(KnownPosition("lamp", "button", 2)))
        caller.insist({"3": ToyPress(button="a")})
        assert readiness(process).ready

        caller.send(encode(KnownPosition("lamp", "button", 9)))
        replies = caller.insist({"4": ToyPress(button="a")})

        assert (replies["4"].outcome, replies["4"].code, replies["4"].status) == ("failed", HALTED, 503)
        assert not readiness(process).ready
        assert "that log ends at 3: its last 6 events are lost" in readiness(process).halted
    assert len(ground.events("button")) == 3


def test_a_reader_stops_when_its_source_is_another_log(ground: Ground) -> None:
    notes = [("a", "one"), ("a", "two"), ("a", "three")]
    with FakeLog(ground.servers.amqp_url, *notes) as log, in_process(lamp(), ground) as process:
        log.publish(log.part(1, 3), log.head())
        wait_for(lambda: readiness(process).ready and len(ground.events("lamp")) == 3, "three lamps")

        log.tell_diverged("lamp", position=3, head=1)

        wait_for(lambda: readiness(process).diverged, "the reader to stop")
        found = readiness(process)
        assert not found.ready
        assert [reason.endswith("its last 2 events are lost") for reason in found.diverged] == [True]
        assert found.lag == {"button": -2}


def test_a_writer_whose_log_was_published_hears_the_publisher_before_it_decides(ground: Ground) -> None:
    with Caller(ground.servers.amqp_url, "button") as caller:
        with in_process(button(), ground):
            caller.insist({"1": ToyPress(button="a")})
        with ground.engine.begin() as connection:
            checkpoints.read(connection, checkpoints.PUBLISHER)  # as a publisher does that begins
        caller.send(encode(KnownPosition("publisher", "button", 7)))

        with in_process(button(), ground) as process:
            replies = caller.insist({"2": ToyPress(button="a")})

            assert (replies["2"].outcome, replies["2"].code) == ("failed", HALTED)
            assert "the publisher has handed on the log of button up to 7" in readiness(process).halted
    assert len(ground.events("button")) == 1
