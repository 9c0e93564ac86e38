"""The rules of staff and customers. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from shared.contracts import Command, DecisionContext, Event, Refused
from shared.contracts.gateway import (
    AddStaff,
    CustomerRegistered,
    RecordSignIn,
    RegisterCustomer,
    RemoveStaff,
    Role,
    SignedIn,
    SignInRefused,
    StaffAdded,
    StaffRemoved,
)


@dataclass(frozen=True, slots=True)
class StaffState:
    """A member of staff. `role` is None before they are added and after they are removed."""

    role: Role | None = None


def decide_staff(command: Command, state: StaffState, given: DecisionContext) -> list[Event]:
    """Facts: for RemoveStaff the number of other administrators."""
    match command:
        case AddStaff(username=username, role=role):
            if state.role is not None:
                raise Refused("staff-exists", f"{username} is already on the staff", role=state.role)
            return [StaffAdded(username=username, role=role)]
        case RemoveStaff(username=username):
            if state.role is None:
                raise Refused("unknown-staff", f"nobody on the staff is called {username}", status=404)
            if state.role == "administrator" and given.facts == 0:
                raise Refused("last-administrator", "somebody must remain who can manage the staff")
            return [StaffRemoved(username=username)]
        case RecordSignIn(username=username, accepted=accepted):
            if state.role is None:
                return []  # a guessed name must not fill the log
            return [SignedIn(username=username) if accepted else SignInRefused(username=username)]
    raise TypeError(f"staff does not decide {type(command).__name__}")


def evolve_staff(state: StaffState, event: Event) -> StaffState:
    match event:
        case StaffAdded(role=role):
            return StaffState(role)
        case StaffRemoved():
            return StaffState()
    return state


@dataclass(frozen=True, slots=True)
class CustomerState:
    registered: bool = False


def decide_customer(command: Command, state: CustomerState, given: DecisionContext) -> list[Event]:
    match command:
        case RegisterCustomer(customer=customer, name=name, email=email):
            if state.registered:
                raise Refused("customer-exists", "this login is taken")
            return [CustomerRegistered(customer=customer, name=name, email=email)]
    raise TypeError(f"customer does not decide {type(command).__name__}")


def evolve_customer(state: CustomerState, event: Event) -> CustomerState:
    match event:
        case CustomerRegistered():
            return CustomerState(registered=True)
    return state
