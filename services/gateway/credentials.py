"""Passwords, as argon2 hashes in the gateway's database: never in an event, never derived from one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.exc import IntegrityError

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


def normal(login: str) -> str:
    """Logins are alike when only case differs."""
    return login.casefold()


@dataclass(frozen=True)
class Credentials:
    """Blocking: hashing takes tens of milliseconds on purpose, so call from a thread."""

    engine: sa.Engine
    hasher: PasswordHasher = field(default_factory=PasswordHasher, repr=False)
    _decoy: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_decoy", self.hasher.hash("nobody has this password"))

    def create(self) -> None:
        """Make the table where it is missing."""
        metadata.create_all(self.engine)

    def store(self, kind: Kind, login: str, subject: str, password: str) -> None:
        """Set or replace the password of a login."""
        row = {"kind": kind, "login": normal(login), "subject": subject, "hash": self.hasher.hash(password)}
        with self.engine.begin() as connection:
            connection.execute(self._where(sa.delete(credentials), kind, login))
            connection.execute(sa.insert(credentials), row)

    def claim(self, kind: Kind, login: str, subject: str, password: str) -> bool:
        """Set the password of a login that has none; False when it has one."""
        row = {"kind": kind, "login": normal(login), "subject": subject, "hash": self.hasher.hash(password)}
        try:
            with self.engine.begin() as connection:
                connection.execute(sa.insert(credentials), row)
        except IntegrityError:
            return False
        return True

    def remove(self, kind: Kind, login: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(self._where(sa.delete(credentials), kind, login))

    def check(self, kind: Kind, login: str, password: str) -> str | None:
        """The subject, or None; an unknown login takes as long as a wrong password."""
        with self.engine.connect() as connection:
            row = connection.execute(self._where(sa.select(credentials), kind, login)).mappings().one_or_none()
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

    @staticmethod
    def _where(statement: sa.Select | sa.Delete, kind: Kind, login: str) -> sa.Executable:
        return statement.where(credentials.c.kind == kind, credentials.c.login == normal(login))
