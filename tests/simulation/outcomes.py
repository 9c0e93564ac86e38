"""What came of a run: the names of everything that can happen in this world, and how often each did."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from sandboxes.purchases import Behaviour
from shared.contracts import Event
from shared.contracts.fulfillment import (
    DeliveryFailed,
    DeliveryHandedOver,
    DeliveryResolved,
    KeysDelivered,
    PurchaseFailed,
    PurchasePending,
    SupplierClaimWon,
    SupplierDelivered,
    SupplierGoodsOpened,
    SupplierReportRefused,
    SupplierStatementRecorded,
    SupplierStatementSettled,
)
from shared.contracts.gateway import StatementUnread, UnreadSettled
from shared.contracts.inventory import (
    KeyFaulted,
    KeysSupplied,
    KeysWithdrawn,
    ReservationExpired,
    StockRanLow,
    StockShort,
)
from shared.contracts.ledger import (
    CallbackRefused,
    EntryReversed,
    FundsCaptured,
    PaymentClosed,
    PaymentNotClosed,
    PaymentOpeningFailed,
    PaymentReceived,
    PaymentReturned,
    PaymentUnmatched,
    ReturnedByHand,
    ReturnFailed,
    ReturnRequested,
    UnmatchedSettled,
)
from shared.contracts.order import (
    DeliveryOverdue,
    LatePaymentDeclined,
    OrderCancelled,
    OrderCompleted,
    OrderReopened,
    RefundRecorded,
    ReplacementConfirmed,
    ReplacementFailed,
)
from shared.contracts.risk import CaseClosed, CaseDecided, CaseOpened
from tests.simulation.partners import Partners
from tests.simulation.requests import Request, Requests
from tests.simulation.world import World

MEANINGS: Mapping[str, str] = {
    "completed": "every line of an order was delivered",
    "partly-delivered": "some lines of an order were delivered, the others given back",
    "nothing-delivered": "a confirmed order ended with nothing delivered",
    "cancelled-unpaid": "nobody paid in time",
    "cancelled-insufficient-funds": "the wallet held too little",
    "cancelled-short-stock": "a key that was wished for was gone",
    "cancelled-blocked": "risk said no",
    "cancelled-buyer": "the buyer thought again",
    "cancelled-staff": "staff called it off",
    "cancelled-no-answer": "an answer or a decision did not come in time",
    "cancelled-expired": "the reservation ran out before the order was confirmed",
    "short-of-stock": "a line could not be reserved",
    "low-stock-recorded": "stock fell to its threshold",
    "late-payment-delivered": "an order cancelled as unpaid was paid after all, and delivered",
    "late-payment-returned": "money that came too late went back",
    "reservation-expired": "inventory proposed to give a reservation up",
    "rest-returned": "money that an order did not need went back through the channel",
    "refund-returned": "a refund went back through the channel",
    "refunded-in-part": "some of what was delivered was given back",
    "refunded-in-full": "all of what was delivered was given back",
    "replaced": "a key that did not work was replaced",
    "replacement-refunded": "no key was left to replace with",
    "key-supplied": "a supplier sent a key of our own",
    "key-withdrawn": "a key that a supplier sent was taken out of sale",
    "supplied-key": "a key that a supplier had sent was left out of an import",
    "key-faulted": "a key was marked as no good",
    "commission-earned": "an agent earned a commission",
    "entry-reversed": "finance reversed a manual entry",
    "delivery-overdue": "a confirmed order was not delivered in time",
    "delivered-by-keys": "a line was delivered from our keys",
    "delivered-by-supplier": "a line was delivered by a supplier",
    "delivered-by-hand": "a person delivered a line",
    "delivery-failed": "a line was not delivered",
    "handed-over": "no machine could finish a delivery",
    "purchase-unknown": "nobody could learn what became of a purchase",
    "purchase-failed": "a supplier said no",
    "purchase-pending": "a supplier said: later",
    "supplier-late-success": "a supplier delivered what nobody waited for any more",
    "supplier-late-failure": "a supplier took back what counted as delivered",
    "supplier-other-cost": "a supplier billed another amount than before",
    "supplier-doubtful-cost": "a supplier's bill could not be right",
    "supplier-doubtful-goods": "a supplier delivered texts that can't be what was sold",
    "goods-delivered": "a supplier delivered texts to the buyer who waited for them",
    "goods-kept": "a supplier delivered texts that nobody waited for any more",
    "goods-read": "a person read what a supplier delivered late",
    "statement-borne": "what a supplier billed late became a cost of ours",
    "statement-claimed": "what a supplier billed late is claimed from it",
    "claim-won": "a supplier credited what was claimed of it",
    "supplier-fallback": "the second supplier delivered what the first could not",
    "purchase-found": "a purchase whose answer was lost was found by looking it up",
    "silent-purchase-found": "a purchase that nobody reported was found by looking it up",
    "payment-opening-failed": "the channel never opened a payment",
    "payment-found": "a payment whose callback was lost was found by asking",
    "callback-repeated": "a callback came again and moved nothing",
    "callback-bad-signature": "a forged callback was refused",
    "payment-unmatched": "money came that fits no payment",
    "unmatched-corrected": "the channel corrected the amount that it had named",
    "unmatched-matched": "a person took money for the payment it was meant for",
    "unmatched-returned": "money that fitted no payment was given back",
    "unmatched-by-hand": "a person saw to a channel's mistake",
    "return-failed": "a channel did not pay back",
    "return-short": "a channel paid back another amount than it was asked for",
    "return-again": "a failed return was asked for again",
    "return-by-hand": "a person paid back what the channel would not",
    "callback-unknown-payment": "a callback for no payment of ours was refused",
    "callback-wrong-reference": "a callback with another payment's reference was refused",
    "callback-failed": "the channel reported that nobody paid",
    "wrong-supplier": "a supplier that was not asked was refused",
    "statement-unread": "a partner sent what can't be read",
    "unread-settled": "a person found out what it was",
    "payment-closed": "the channel closed a payment that nobody needed any more",
    "payment-paid-before-closing": "the channel would not close a payment: it was paid",
    "closed-payment-received": "money came for a payment that the channel had called closed",
    "case-closed": "an order was cancelled before a person had decided it",
    "case-opened-again": "an order under review went on after it had been cancelled",
    "case-passed": "a person released an order",
    "case-blocked": "a person stopped an order",
    "same-again": "the same command came again and was answered alike",
    "conflict": "an id came again with another body, and was refused",
    "outcome-unknown": "a client had no answer in time, and found the outcome later",
    "duplicate-key": "a key that was loaded before was left out",
    "refused-order-number-taken": "the same order number for another order",
    "refused-over-limit": "more of a product than one order may hold",
    "refused-unknown-sku": "a product that does not exist",
    "refused-price-changed": "another total than expected",
    "refused-target-needed": "a top-up without an account",
    "refused-customer-needed": "a wallet payment by nobody",
    "refused-too-late": "a cancellation after the confirmation",
    "refused-more-than-left": "a refund of more than was delivered",
    "refused-nothing-left": "a refund of what is refunded already",
}


def outcomes(world: World) -> Counter[str]:
    """How often each of the MEANINGS occurred in a run; some more names may occur as well."""
    found = Counter[str]()
    events = [recorded.event for recorded in world.events]
    for event in events:
        found.update(_of_event(event))
    found.update(_of_orders(events))
    found.update(_of_partners(world.partners))
    found.update(_of_requests(world.requests))
    return found


def _of_event(event: Event) -> Iterator[str]:
    match event:
        case OrderCompleted():
            yield _completed(event)
        case OrderCancelled(reason=reason):
            yield f"cancelled-{reason}"
        case RefundRecorded(full=full):
            yield "refunded-in-full" if full else "refunded-in-part"
        case PaymentReturned(return_id=return_id):
            yield "rest-returned" if return_id == "hold#rest" else "refund-returned"
        case CallbackRefused(reason=reason):
            yield f"callback-{reason}"
        case UnmatchedSettled(how=how):
            yield f"unmatched-{how}"
        case ReturnRequested(again=True):
            yield "return-again"
        case ReturnFailed(paid=paid) if paid is not None:
            yield "return-failed"
            yield "return-short"
        case CaseDecided(decision=decision):
            yield "case-passed" if decision == "pass" else "case-blocked"
        case PaymentNotClosed(paid=paid) if paid is not None:
            yield "payment-paid-before-closing"
        case CaseOpened(again=True):
            yield "case-opened-again"
        case PaymentReceived(callback_id=callback_id) if callback_id.startswith("asked-"):
            yield "payment-found"
        case DeliveryHandedOver(supplier=supplier):
            yield "purchase-unknown" if supplier else "handed-over"
        case SupplierStatementRecorded():
            yield f"supplier-{event.finding}"
            if event.goods:
                yield "goods-kept"
        case SupplierStatementSettled(decision=decision):
            yield "statement-borne" if decision == "cost" else "statement-claimed"
        case FundsCaptured(postings=postings) if any(it.account.startswith("commission:") for it in postings):
            yield "commission-earned"
        case SupplierDelivered(envelope=envelope) if envelope:
            yield "delivered-by-supplier"
            yield "goods-delivered"
        case _ if name := PLAIN.get(type(event)):
            yield name
        case _:
            pass


PLAIN: Mapping[type[Event], str] = {
    DeliveryFailed: "delivery-failed",
    DeliveryOverdue: "delivery-overdue",
    DeliveryResolved: "delivered-by-hand",
    EntryReversed: "entry-reversed",
    KeyFaulted: "key-faulted",
    KeysSupplied: "key-supplied",
    KeysWithdrawn: "key-withdrawn",
    KeysDelivered: "delivered-by-keys",
    LatePaymentDeclined: "late-payment-returned",
    CaseClosed: "case-closed",
    PaymentClosed: "payment-closed",
    PaymentOpeningFailed: "payment-opening-failed",
    PaymentUnmatched: "payment-unmatched",
    ReturnedByHand: "return-by-hand",
    ReturnFailed: "return-failed",
    PurchaseFailed: "purchase-failed",
    PurchasePending: "purchase-pending",
    ReplacementConfirmed: "replaced",
    ReplacementFailed: "replacement-refunded",
    ReservationExpired: "reservation-expired",
    StockRanLow: "low-stock-recorded",
    SupplierClaimWon: "claim-won",
    SupplierReportRefused: "wrong-supplier",
    SupplierGoodsOpened: "goods-read",
    StatementUnread: "statement-unread",
    StockShort: "short-of-stock",
    UnreadSettled: "unread-settled",
    SupplierDelivered: "delivered-by-supplier",
}


def _completed(event: OrderCompleted) -> str:
    if not event.delivered.amount:
        return "nothing-delivered"
    return "partly-delivered" if event.undelivered.amount else "completed"


def _of_orders(events: Iterable[Event]) -> Iterator[str]:
    """What takes more than one event."""
    reopened: set[str] = set()
    closed: set[str] = set()
    failed: dict[str, set[str]] = defaultdict(set)
    for event in events:
        match event:
            case OrderReopened(order_id=order_id):
                reopened.add(order_id)
            case OrderCompleted(order_id=order_id, delivered=delivered) if order_id in reopened and delivered.amount:
                yield "late-payment-delivered"
            case PaymentClosed(payment_id=payment_id):
                closed.add(payment_id)
            case PaymentReceived(payment_id=payment_id) if payment_id in closed:
                yield "closed-payment-received"
            case PurchaseFailed(delivery_id=delivery_id, supplier=supplier):
                failed[delivery_id].add(supplier)
            case SupplierDelivered(delivery_id=delivery_id, supplier=supplier) if failed[delivery_id] - {supplier}:
                yield "supplier-fallback"
            case _:
                pass


def _of_partners(partners: Partners) -> Iterator[str]:
    for supplier in partners.suppliers.values():
        for purchase in supplier.books.all.values():
            if purchase.bought and purchase.looked_up and purchase.behaviour is Behaviour.OK:
                yield "purchase-found"
            if purchase.bought and purchase.behaviour is Behaviour.SILENT:
                yield "silent-purchase-found"
    for reply in (reply for partner in partners.all for reply in partner.heard):
        if reply.answer.get("outcome") == "already-received":
            yield "callback-repeated"


def _of_requests(requests: Requests) -> Iterator[str]:
    for request in requests.made:
        yield from _of_request(request)


def _of_request(request: Request) -> Iterator[str]:
    reply = request.reply
    if reply is None:
        return
    if request.unanswered:
        yield "outcome-unknown"
    if len(request.replies) > 1 or request.purpose == "same":
        yield "same-again"
    if reply.outcome in ("conflict", "failed"):
        yield reply.outcome
    if reply.outcome == "refused":
        yield f"refused-{reply.code}"
    if reply.answer.get("duplicates"):
        yield "duplicate-key"
    if reply.answer.get("supplied"):
        yield "supplied-key"
