"""A connection to PostgreSQL on which many statements, and their COMMIT, are one message and one answer.

It speaks libpq's pipeline mode itself: psycopg's own sends each statement apart and waits in between, at four times the
cost to the client and twice that to the server.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg
from psycopg.abc import PQGen
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.generators import fetch_many, send
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult

from shared.eventstore.fencing import Fenced

Values = Sequence[bytes | None]
REFUSED = ("23", "22012")  # a row is taken, or a division by the number of rows that were hit


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement that each session prepares once, under a name of its own. `formats` is 1 for binary values."""

    name: bytes
    text: bytes
    formats: Sequence[int] = ()


class _Step(NamedTuple):
    prepared: Prepared
    values: Values = ()
    fence: str = ""


_BEGIN = _Step(Prepared(b"begin", b"BEGIN"))
_COMMIT = _Step(Prepared(b"commit", b"COMMIT"))


class PipelinedConnection(psycopg.Connection[Any]):
    """What is written `later` goes to the server with the next question or the COMMIT, whichever comes first, and its
    errors come from there. When a statement fails, the server skips all that follows, the COMMIT as well.

    psycopg must prepare nothing by itself (`prepare_threshold=None`): it would deallocate ours with its own.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._steps: list[_Step] = []
        self._known: set[bytes] = set()

    def later(self, prepared: Prepared, values: Values, fence: str = "") -> None:
        """Execute a statement before whatever comes next. With a `fence`, a row that is taken, or a guarded statement
        that hits nothing, raises Fenced with that text."""
        self._steps.append(_Step(prepared, values, fence))

    def ask(self, prepared: Prepared, values: Values) -> list[tuple[Any, ...]]:
        """The rows of a query. One that comes first begins no transaction."""
        return self._rows(self._exchange(*self._written(), _Step(prepared, values))[-1])

    def send(self) -> None:
        """Have executed what was written. Raises Fenced."""
        if self._steps:
            self._exchange(*self._written())

    def commit(self) -> None:
        """Execute what was written and commit. When that fails, no transaction is left. Raises Fenced."""
        if not self._steps:
            super().commit()
            return
        try:
            self._exchange(*self._written(), _COMMIT)
        except (psycopg.Error, Fenced):
            if not self.closed:
                super().rollback()
            raise

    def rollback(self) -> None:
        """What was not sent never is."""
        self._steps.clear()
        super().rollback()

    def cursor(self, *arguments: Any, **settings: Any) -> Any:
        """Whoever uses the connection as an ordinary one finds everything written."""
        self.send()
        return super().cursor(*arguments, **settings)

    def _written(self) -> list[_Step]:
        steps, self._steps = self._steps, []
        if steps and self.pgconn.transaction_status == TransactionStatus.IDLE:
            steps.insert(0, _BEGIN)
        return steps

    def _exchange(self, *steps: _Step) -> list[PGresult]:
        """One message to the server: the result of each step."""
        with self.lock:
            try:
                sent = self._send(steps)
                results = self.wait(_answers(self.pgconn, len(sent)))
                self.pgconn.exit_pipeline_mode()
            except BaseException:
                self.close()  # nobody knows what the server has still to say
                raise
        answers: list[PGresult] = []
        for step, result in zip(sent, results, strict=True):
            if result.status == ExecStatus.FATAL_ERROR:
                self._fail(step, result)
            if step.prepared.name in self._known:
                answers.append(result)
            self._known.add(step.prepared.name)
        return answers

    def _send(self, steps: Sequence[_Step]) -> list[_Step]:
        """The step that each message belongs to; one not known to the session is two messages."""
        sent: list[_Step] = []
        known = set(self._known)
        self.pgconn.enter_pipeline_mode()
        for step in steps:
            prepared = step.prepared
            if prepared.name not in known:
                self.pgconn.send_prepare(prepared.name, prepared.text)
                known.add(prepared.name)
                sent.append(step)
            self.pgconn.send_query_prepared(prepared.name, step.values, prepared.formats)
            sent.append(step)
        self.pgconn.pipeline_sync()
        return sent

    def _fail(self, step: _Step, result: PGresult) -> None:
        error = error_from_result(result, encoding=self.info.encoding)
        if step.fence and str(error.sqlstate).startswith(REFUSED):
            raise Fenced(step.fence) from error
        raise error

    def _rows(self, result: PGresult) -> list[tuple[Any, ...]]:
        loading = Transformer(self)
        loading.set_pgresult(result)
        return loading.load_rows(0, result.ntuples, tuple)


def _answers(pgconn: PGconn, count: int) -> PQGen[list[PGresult]]:
    """So many results, up to the end of the message."""
    yield from send(pgconn)
    results: list[PGresult] = []
    for _ in range(count):
        results += yield from fetch_many(pgconn)
    yield from fetch_many(pgconn)
    return results
