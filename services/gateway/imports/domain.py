"""Records an import once, with the fates of its rows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.contracts import Command, Decided, DecisionContext, Event
from shared.contracts.gateway import ImportCompleted, RecordImport


@dataclass(frozen=True, slots=True)
class ImportState:
    file_sha256: str | None = None
    fates: Mapping[str, int] = field(default_factory=dict)


def decide_import(command: Command, state: ImportState, given: DecisionContext) -> Decided:
    match command:
        case RecordImport(fates=fates):
            if state.file_sha256 is not None:
                return Decided(answer=dict(state.fates))
            return Decided([ImportCompleted(**dict(command))], dict(fates))
    raise TypeError(f"import does not decide {type(command).__name__}")


def evolve_import(state: ImportState, event: Event) -> ImportState:
    match event:
        case ImportCompleted(file_sha256=file_sha256, fates=fates):
            return ImportState(file_sha256, fates)
    return state
