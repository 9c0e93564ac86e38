"""Laws that compare the logs with what payment channels and suppliers have recorded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from laws.evidence import EvidenceSettled
from shared.laws.finding import Finding, finding


@dataclass(frozen=True, slots=True)
class ChannelPayment:
    """A payment as its channel knows it: how often it was collected, `paid` in all (minor units, 0 when unpaid), and
    the amounts that were paid back under each return id."""

    payment_id: str
    paid_times: int
    paid: int
    refunds: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    currency: str = "CNY"


@dataclass(frozen=True, slots=True)
class SupplierPurchase:
    """A purchase as its supplier knows it: how often it was bought under this request id."""

    supplier: str
    request_id: str
    bought: int


@dataclass(frozen=True, slots=True)
class SupplierSaid:
    """What a supplier said of a purchase: `cost` in minor units, None where it named none; `goods` are the keyed hashes
    of the texts that it delivered."""

    request_id: str
    outcome: str
    cost: int | None = None
    currency: str = ""
    goods: frozenset[str] = frozenset()


def one_capture(payments: Iterable[ChannelPayment]) -> Finding:
    """OneCapture: a channel collected each payment at most once, paid each return back at most once, and never more
    than it had collected."""
    known = list(payments)
    return finding("OneCapture", len(known), (said for payment in known for said in _complaints(payment)))


def evidence_settled(payments: Iterable[ChannelPayment], law: EvidenceSettled) -> Finding:
    """EvidenceSettled: what channels collected and paid back is what the books say, payment by payment.

    A return that a person has ended, or has to, may have been paid by the channel unheard.
    """
    known = list(payments)
    return finding("EvidenceSettled", len(known), (said for payment in known for said in _differences(payment, law)))


def statements_kept(acknowledged: Iterable[SupplierSaid], kept: Collection[SupplierSaid]) -> Finding:
    """EvidenceSettled: supplier statements that were acknowledged are in the log, with the texts that were delivered. A
    repeated statement may omit or repeat texts."""
    said, known = set(acknowledged), {replace(one, goods=frozenset()) for one in kept}
    goods = {(one.request_id, index) for one in kept for index in one.goods}
    gone = {one for one in said if any((one.request_id, index) not in goods for index in one.goods)}
    lost = sorted(
        gone | {one for one in said if replace(one, goods=frozenset()) not in known},
        key=lambda one: (one.request_id, one.outcome, one.cost or 0),
    )
    return finding("EvidenceSettled", len(said), (f"{_words(one)}, and the log does not say so" for one in lost))


def _words(said: SupplierSaid) -> str:
    cost = "no cost" if said.cost is None else f"{said.cost} {said.currency}"
    goods = f" with {len(said.goods)} texts" if said.goods else ""
    return f"{said.request_id} was reported as {said.outcome}{goods}, for {cost}"


def _differences(payment: ChannelPayment, law: EvidenceSettled) -> Iterator[str]:
    name = payment.payment_id
    booked = {currency: amount for currency, amount in law.collected.get(name, {}).items() if amount}
    if booked != ({payment.currency: payment.paid} if payment.paid else {}):
        yield f"{name}: {payment.paid} {payment.currency} was collected, the books say {booked}"
    returned = law.returned.get(name, {})
    for return_id in payment.refunds.keys() | returned.keys():
        paid = sum(payment.refunds.get(return_id, ()))
        if returned.get(return_id, 0) > paid:
            yield f"{name}: the books say that {returned[return_id]} went back as {return_id}, and {paid} did"
        elif returned.get(return_id, 0) < paid and not law.is_with_people(name, return_id):
            yield f"{name}: {paid} went back as {return_id}, the books say {returned.get(return_id, 0)}"


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
    stated: Collection[str] = (),
) -> Finding:
    """OnePurchase: a line is bought at most once, wherever.

    With `delivered`, the lines that the log says suppliers delivered, these are the lines that were bought; but for
    lines that people ended or have to end (`by_hand`), whose purchase may have come about unheard. A purchase that the
    log says came about late (`stated`, by request id) does not count: its supplier had said no, or was given up.
    """
    bought: dict[str, list[str]] = defaultdict(list)
    late = set(stated)
    for purchase in purchases:
        line = purchase.request_id.rpartition("#")[0]
        times = purchase.bought - 1 if purchase.bought and purchase.request_id in late else purchase.bought
        bought[line] += [purchase.supplier] * times
    broken = [
        f"{line} was bought {len(where)} times: {', '.join(where)}" for line, where in bought.items() if len(where) > 1
    ]
    if delivered is not None:
        logged, people = set(delivered), set(by_hand)
        broken += [f"{line} was delivered and never bought" for line in sorted(logged) if not bought.get(line)]
        unheard = (line for line, where in bought.items() if where and line not in logged and line not in people)
        broken += [f"{line} was bought and never delivered" for line in unheard]
    return finding("OnePurchase", len(bought), broken)
