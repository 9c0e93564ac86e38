"""Two toy services at a place of each kind, and the command line over them."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from cli.places import Place
from shared.eventstore.engines import open_engine
from shared.runtime.embedded import database_url
from shared.runtime.service import Service
from tests.databases import NewDatabase
from tests.runtime.toy import button, lamp

SERVICES: tuple[Service, ...] = (button(), lamp())


def cluster(tmp_path: Path, postgres: NewDatabase) -> Place:
    """Fresh databases on PostgreSQL."""
    return _place(tmp_path, {service.name: sa.make_url(postgres()) for service in SERVICES}, is_cluster=True)


def folder(tmp_path: Path) -> Place:
    """Fresh files."""
    return _place(tmp_path, {one.name: sa.make_url(database_url(tmp_path, one.name)) for one in SERVICES})


def _place(tmp_path: Path, urls: dict[str, sa.URL], *, is_cluster: bool = False) -> Place:
    logs = {name: open_engine(url, writer=False) for name, url in urls.items()}
    return Place(tmp_path, is_cluster, urls, logs)
