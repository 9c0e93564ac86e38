from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from services.gateway.access.domain import (
    CustomerState,
    StaffState,
    decide_customer,
    decide_staff,
    evolve_customer,
    evolve_staff,
)
from services.gateway.imports.domain import ImportState, decide_import, evolve_import
from services.gateway.service import SERVICE
from shared.contracts import DecisionContext, Metadata, Refused
from shared.contracts.gateway import (
    AddStaff,
    CustomerRegistered,
    ImportCompleted,
    RecordImport,
    RecordSignIn,
    RegisterCustomer,
    RemoveStaff,
    SignedIn,
    SignInRefused,
    StaffAdded,
    StaffRemoved,
)
from shared.messages.messages import CommandMessage
from tests.gateway.builders import NOW
from tests.platform.harness import Harness

GIVEN = DecisionContext(NOW, "command-1", Metadata(correlation_id="c", causation_id="c"))
ANNA = StaffState("support")


def test_staff_is_added_once() -> None:
    added = StaffAdded(username="anna", role="support")
    assert decide_staff(AddStaff(username="anna", role="support"), StaffState(), GIVEN) == [added]
    assert evolve_staff(StaffState(), added) == ANNA
    with pytest.raises(Refused, match="staff-exists"):
        decide_staff(AddStaff(username="anna", role="administrator"), ANNA, GIVEN)


def test_the_last_administrator_stays() -> None:
    boss, alone = StaffState("administrator"), replace(GIVEN, facts=0)
    with pytest.raises(Refused, match="last-administrator"):
        decide_staff(RemoveStaff(username="boss"), boss, alone)
    assert len(decide_staff(RemoveStaff(username="boss"), boss, replace(GIVEN, facts=1))) == 1
    assert len(decide_staff(RemoveStaff(username="anna"), ANNA, alone)) == 1


def test_two_administrators_who_remove_each_other_at_once_leave_one(tmp_path: Path) -> None:
    market = Harness(tmp_path, [SERVICE])
    for name in ("ann", "bob"):
        market.send("gateway", AddStaff(username=name, role="administrator"))
    commands = [CommandMessage(name, RemoveStaff(username=name), GIVEN.meta) for name in ("ann", "bob")]

    waiting = [market.network.ask("gateway", command) for command in commands]
    market.drain()

    assert sorted(future.result().outcome for future in waiting) == ["accepted", "refused"]
    assert len(market.events("gateway", StaffRemoved)) == 1


def test_staff_is_removed_and_may_come_back() -> None:
    removed = StaffRemoved(username="anna")
    assert decide_staff(RemoveStaff(username="anna"), ANNA, GIVEN) == [removed]
    gone = evolve_staff(ANNA, removed)
    with pytest.raises(Refused) as refused:
        decide_staff(RemoveStaff(username="anna"), gone, GIVEN)
    assert refused.value.status == 404
    assert decide_staff(AddStaff(username="anna", role="finance"), gone, GIVEN)


@pytest.mark.parametrize(("accepted", "event"), [(True, SignedIn), (False, SignInRefused)])
def test_sign_ins_of_staff_are_recorded(accepted: bool, event: type) -> None:
    command = RecordSignIn(username="anna", accepted=accepted)
    assert decide_staff(command, ANNA, GIVEN) == [event(username="anna")]
    assert decide_staff(command, StaffState(), GIVEN) == []


def test_a_customer_registers_once() -> None:
    registered = CustomerRegistered(customer="c1", name="Li", email="li@example.com")
    command = RegisterCustomer(customer="c1", name="Li", email="li@example.com")
    assert decide_customer(command, CustomerState(), GIVEN) == [registered]
    with pytest.raises(Refused, match="customer-exists"):
        decide_customer(command, evolve_customer(CustomerState(), registered), GIVEN)


def test_an_import_is_recorded_once_and_answers_alike() -> None:
    command = RecordImport(import_id="i1", kind="keys", file_sha256="ab", fates={"loaded": 3})
    completed = ImportCompleted(import_id="i1", kind="keys", file_sha256="ab", fates={"loaded": 3})
    first = decide_import(command, ImportState(), GIVEN)
    assert list(first.events) == [completed]
    again = decide_import(command, evolve_import(ImportState(), completed), GIVEN)
    assert list(again.events) == []
    assert again.answer == first.answer == {"loaded": 3}


@pytest.mark.parametrize("aggregate", SERVICE.aggregates, ids=lambda aggregate: aggregate.name)
def test_states_survive_a_snapshot(aggregate) -> None:
    state = aggregate.initial()
    adapter = TypeAdapter(type(state))
    assert adapter.validate_json(adapter.dump_json(state)) == state
