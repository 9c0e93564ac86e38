"""The tables in the gateway's database that are not derived from events. No rebuild touches them."""

from __future__ import annotations

import sqlalchemy as sa

from services.gateway.imports import runs
from services.gateway.webhooks import tables as webhooks

metadata = sa.MetaData()
for _table in (*webhooks.metadata.sorted_tables, *runs.metadata.sorted_tables):
    _table.to_metadata(metadata)
