"""Creates a PostgreSQL database and role for each service."""

from __future__ import annotations

from typing import LiteralString

import psycopg
import sqlalchemy as sa
from psycopg import sql

ONE_AT_A_TIME = 7_236_481_059


def name_of(service: str) -> str:
    """The name of a service's database and role."""
    return f"kameng_{service}"


def service_url(server: str | sa.URL, service: str, password: str) -> sa.URL:
    """The URL of a service's database, as its own role, on the server of the given URL."""
    name = name_of(service)
    return sa.make_url(server).set(drivername="postgresql+psycopg", username=name, password=password, database=name)


def ensure_database(server: str | sa.URL, service: str, password: str) -> bool:
    """Create a service's role and database where missing, and give the role this password. True for a new database.

    `server` is the URL of any database of the server, as a superuser or a role that may create roles and databases.
    Text is ordered by code points, as SQLite does. Raises psycopg.Error.
    """
    name = sql.Identifier(name_of(service))
    with _connect(server) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [ONE_AT_A_TIME])
        if not _role_exists(connection, service):
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
        # Hashed here, since the server may log statements.
        hashed = connection.pgconn.encrypt_password(password.encode(), name_of(service).encode(), b"scram-sha-256")
        connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(hashed.decode())))
        if _exists(connection, "SELECT 1 FROM pg_database WHERE datname = %s", service):
            return False
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(name))
        create = "CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
        connection.execute(sql.SQL(create).format(name, name))
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
        return True


def has_role(server: str | sa.URL, service: str) -> bool:
    """Whether the server knows a service's role. Raises psycopg.Error."""
    with _connect(server) as connection:
        return _role_exists(connection, service)


def _connect(server: str | sa.URL) -> psycopg.Connection:
    conninfo = sa.make_url(server).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(conninfo, autocommit=True, connect_timeout=10)


def _role_exists(connection: psycopg.Connection, service: str) -> bool:
    return _exists(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", service)


def _exists(connection: psycopg.Connection, query: LiteralString, service: str) -> bool:
    return connection.execute(query, [name_of(service)]).fetchone() is not None
