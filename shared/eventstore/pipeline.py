"""A psycopg connection that sends many statements and their COMMIT as one message and reads one answer.

It uses libpq's pipeline mode directly: psycopg's own pipeline sends each statement separately and waits in between, at
four times the client's cost and twice the server's.
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
REFUSED = ("23", "22012")  # a unique key is taken, or a guarded statement hit no row and divided by 0


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement that each session prepares once, under its own name. `formats`: 1 for a binary value, 0 for text."""

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
    """Statements written with `later` are sent with the next query or the COMMIT, which also raises their errors. When
    a statement fails, the server skips all later ones, the COMMIT included.

    psycopg must not prepare statements itself (`prepare_threshold=None`): it would deallocate these as well.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._steps: list[_Step] = []
        self._known: set[bytes] = set()

    def later(self, prepared: Prepared, values: Values, fence: str = "") -> None:
        """Add a statement to the next message. With a `fence`, Fenced with that text is raised when a unique key is
        taken, or a guarded statement hits no row."""
        self._steps.append(_Step(prepared, values, fence))

    def ask(self, prepared: Prepared, values: Values) -> list[tuple[Any, ...]]:
        """The rows of a query. The first statement of a connection, if it is a query, begins no transaction."""
        return self._rows(self._exchange(*self._written(), _Step(prepared, values))[-1])

    def send(self) -> None:
        """Send the statements written so far. Raises Fenced."""
        if self._steps:
            self._exchange(*self._written())

    def commit(self) -> None:
        """Send the statements written so far and commit. After an error no transaction is open. Raises Fenced."""
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
        """Drop the statements that were not sent, and roll back."""
        self._steps.clear()
        super().rollback()

    def cursor(self, *arguments: Any, **settings: Any) -> Any:
        """Send the statements written so far, and open an ordinary cursor."""
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
                self.close()  # the server's remaining answers are unknown
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
        """Send the steps. Returns, for each message, its step; a statement that the session must prepare is two."""
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
    """Read `count` results, up to the end of the answer."""
    yield from send(pgconn)
    results: list[PGresult] = []
    for _ in range(count):
        results += yield from fetch_many(pgconn)
    yield from fetch_many(pgconn)
    return results
