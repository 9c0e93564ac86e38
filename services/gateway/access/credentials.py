"""Passwords, as argon2 hashes in the gateway's database. They come from no event and stand in none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateIndex, CreateTable

from services.gateway.access.projection import customers
from shared.values import identities
from shared.values.identities import or_as_is

Kind = Literal["staff", "customer"]
metadata = sa.MetaData()

credentials = sa.Table(
    "credentials",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("login", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
)


# Logins that an earlier version stored in a form that is not canonical.
former_logins = sa.Table(
    "former_logins",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("login", sa.Text, primary_key=True),
    sa.Column("canonical", sa.Text, nullable=False, index=True),
)
PAGE = 1_000
CREATING = 7_236_481_061  # the advisory lock that creating these tables takes


def normal(login: str) -> str:
    """The canonical login. A login without a canonical form is case-folded, as earlier versions stored it."""
    return or_as_is(identities.login, login.casefold())


def _names(table: sa.Table) -> sa.Select[Kind, str]:
    return sa.select(table.c.kind, table.c.login)


@dataclass(frozen=True)
class Credentials:
    """Stores and checks passwords. Its methods block: hashing takes tens of milliseconds, so call them from a thread.

    A login is stored in its canonical form. Earlier versions may have stored several logins with one canonical form.
    Each of those is found by its stored spelling; any other spelling finds the one that registered first.
    """

    engine: sa.Engine
    hasher: PasswordHasher = field(default_factory=PasswordHasher, repr=False)
    _decoy: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_decoy", self.hasher.hash("nobody has this password"))

    def create(self) -> None:
        """Create missing tables, and record which logins an earlier version stored in another form."""
        for table in metadata.sorted_tables:
            self._create(CreateTable(table, if_not_exists=True))
            for index in table.indexes:
                self._create(CreateIndex(index, if_not_exists=True))
        with self.engine.connect() as connection:
            recorded = {tuple(row) for row in connection.execute(sa.select(former_logins))}
            stored = connection.execute(_names(credentials))
            former = [
                {"kind": kind, "login": login, "canonical": canonical}
                for page in stored.partitions(PAGE)
                for kind, login in page
                if (canonical := normal(login)) != login and (kind, login, canonical) not in recorded
            ]
        if former:
            insert = postgresql.insert if self.engine.dialect.name == "postgresql" else sqlite.insert
            with self.engine.begin() as connection:
                record = insert(former_logins)
                canonical = {"canonical": record.excluded.canonical}
                connection.execute(
                    record.on_conflict_do_update(index_elements=["kind", "login"], set_=canonical), former
                )

    def _create(self, statement: sa.Executable) -> None:
        """Run the statement in its own transaction. SQLite waits for other transactions; PostgreSQL needs a lock for
        it."""
        with self.engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(CREATING)))
            connection.execute(statement)

    def store(self, kind: Kind, login: str, subject: str, password: str) -> None:
        """Set or replace the password of a login."""
        row = {"kind": kind, "login": normal(login), "subject": subject, "hash": self.hasher.hash(password)}
        with self.engine.begin() as connection:
            connection.execute(self._where(sa.delete(credentials), kind, login))
            connection.execute(sa.insert(credentials), row)

    def is_former(self, kind: Kind, login: str) -> bool:
        """Whether an earlier version stored this login in another form."""
        with self.engine.connect() as connection:
            return bool(self._former(connection, kind, login))

    def claim(
        self, kind: Kind, login: str, subject: str, password: str, show: Callable[[str], None] = lambda password: None
    ) -> bool:
        """Set the password of a login that has none. Returns False when the login has one, in any spelling.

        `show` gets the password just before the commit. When the process ends in between, the login still has none.
        """
        if self.is_former(kind, login):
            return False
        row = {"kind": kind, "login": normal(login), "subject": subject, "hash": self.hasher.hash(password)}
        try:
            with self.engine.begin() as connection:
                connection.execute(sa.insert(credentials), row)
                show(password)
        except IntegrityError:
            return False
        return True

    def remove(self, kind: Kind, login: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(self._where(sa.delete(credentials), kind, login))

    def check(self, kind: Kind, login: str, password: str) -> str | None:
        """The subject of the login, None for a wrong password. An unknown login takes as long as a wrong password."""
        with self.engine.connect() as connection:
            row = self._found(connection, kind, login)
        try:
            self.hasher.verify(row["hash"] if row else self._decoy, password)
        except (VerificationError, InvalidHashError):
            return None
        return row["subject"] if row else None

    def any(self, kind: Kind) -> bool:
        """Whether anybody of this kind can sign in."""
        found = sa.select(sa.literal(1)).where(credentials.c.kind == kind).limit(1)
        with self.engine.connect() as connection:
            return connection.execute(found).first() is not None

    def _found(self, connection: sa.Connection, kind: Kind, login: str) -> sa.RowMapping | None:
        exact, canonical = login.casefold(), normal(login)
        spellings = {exact, canonical, *self._former(connection, kind, login)}
        found = sa.select(credentials).where(credentials.c.kind == kind, credentials.c.login.in_(spellings))
        rows = {row["login"]: row for row in connection.execute(found).mappings()}
        if exact in rows or len(rows) < 2:
            return rows.get(exact) or next(iter(rows.values()), None)
        first = sa.select(customers.c.customer).where(
            customers.c.customer.in_([row["subject"] for row in rows.values()])
        )
        subject = connection.execute(first.order_by(customers.c.registered_at).limit(1)).scalar_one_or_none()
        return next((row for row in rows.values() if row["subject"] == subject), None)

    @staticmethod
    def _former(connection: sa.Connection, kind: Kind, login: str) -> list[str]:
        columns = former_logins.c
        found = sa.select(columns.login).where(columns.kind == kind, columns.canonical == normal(login))
        return list(connection.execute(found).scalars())

    @staticmethod
    def _where(statement: sa.Select | sa.Delete, kind: Kind, login: str) -> sa.Executable:
        return statement.where(credentials.c.kind == kind, credentials.c.login == normal(login))
