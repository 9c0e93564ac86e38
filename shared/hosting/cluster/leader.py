"""One writer a service at a time, which tells the log server of what it commits."""

from __future__ import annotations

from shared.eventlog.leading import Lead, LeadLost

__all__ = ["LeadLost", "Leader"]


class Leader(Lead):
    """The lead of a service's writer."""

    def notify(self, head: int) -> None:
        """Tell whoever reads the log how far it reaches now. Raises LeadLost."""
        self.execute("SELECT pg_notify('kameng_log', %s)", [str(head)])
