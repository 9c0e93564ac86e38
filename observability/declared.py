"""Every metric of the platform, from where it is declared: the kernel's, and each service's. A page is made of this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.fulfillment import metrics as fulfillment
from services.gateway import metrics as gateway
from services.inventory import metrics as inventory
from services.ledger import metrics as ledger
from services.notification import metrics as notification
from services.order import metrics as order
from services.risk import metrics as risk
from shared.telemetry import metrics as kernel
from shared.telemetry.metric import Metric, Section


def _together(*sections: Section) -> Sequence[Metric]:
    return [metric for section in sections for metric in section.metrics]


SECTIONS: Mapping[str, Sequence[Metric]] = {
    "Writer": _together(kernel.WRITER),
    "Business: what happened": _together(
        order.HAPPENED,
        fulfillment.HAPPENED,
        inventory.HAPPENED,
        risk.HAPPENED,
        ledger.HAPPENED,
        notification.HAPPENED,
    ),
    "Business: how it stands": _together(
        gateway.ORDERS_STANDING, ledger.STANDING, gateway.STANDING, fulfillment.STANDING
    ),
    "Gateway, over HTTP": _together(gateway.HTTP),
    "Log server": _together(kernel.LOG_SERVER),
    "Publisher": _together(kernel.PUBLISHER),
    "Webhooks": _together(gateway.WEBHOOKS),
    "Database": _together(kernel.DATABASE),
    "Every process": _together(kernel.PROCESS),
}
ALL: Sequence[Metric] = [metric for metrics in SECTIONS.values() for metric in metrics]
