"""What payment channels and suppliers saw of us."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from shared.laws.finding import Finding, finding


@dataclass(frozen=True, slots=True)
class ChannelPayment:
    """A payment as its channel knows it: how often it was collected, `paid` in all (minor units, 0 when unpaid), and
    the amounts that were paid back under each return id."""

    payment_id: str
    paid_times: int
    paid: int
    refunds: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SupplierPurchase:
    """A purchase as its supplier knows it: how often it was bought under this request id."""

    supplier: str
    request_id: str
    bought: int


def one_capture(payments: Iterable[ChannelPayment]) -> Finding:
    """OneCapture: a channel collected each payment at most once, paid each return back at most once, and never more
    than it had collected."""
    known = list(payments)
    return finding("OneCapture", len(known), (said for payment in known for said in _complaints(payment)))


def _complaints(payment: ChannelPayment) -> Iterator[str]:
    if payment.paid_times > 1:
        yield f"{payment.payment_id} was collected {payment.paid_times} times"
    for return_id, amounts in payment.refunds.items():
        if len(amounts) > 1:
            yield f"{payment.payment_id} was paid back {len(amounts)} times as {return_id}"
    back = sum(sum(amounts) for amounts in payment.refunds.values())
    if back > payment.paid:
        yield f"{payment.payment_id}: {payment.paid} was collected and {back} paid back"


def one_purchase(
    purchases: Iterable[SupplierPurchase],
    delivered: Collection[str] | None = None,
    by_hand: Collection[str] = (),
) -> Finding:
    """OnePurchase: a line is bought at most once, wherever.

    With `delivered`, the lines that the log says suppliers delivered, these are the lines that were bought; but for
    lines that people ended or have to end (`by_hand`), whose purchase may have come about unheard.
    """
    bought: dict[str, list[str]] = defaultdict(list)
    for purchase in purchases:
        line = purchase.request_id.rpartition("#")[0]
        bought[line] += [purchase.supplier] * purchase.bought
    broken = [
        f"{line} was bought {len(where)} times: {', '.join(where)}" for line, where in bought.items() if len(where) > 1
    ]
    if delivered is not None:
        told, people = set(delivered), set(by_hand)
        broken += [f"{line} was delivered and never bought" for line in sorted(told) if not bought.get(line)]
        unheard = (line for line, where in bought.items() if where and line not in told and line not in people)
        broken += [f"{line} was bought and never delivered" for line in unheard]
    return finding("OnePurchase", len(bought), broken)
