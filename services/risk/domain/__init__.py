"""The rules of risk. The two aggregates are the screenings of orders and the entries of lists."""

from services.risk.domain.lists import ListEntry, decide_list_entry, evolve_list_entry
from services.risk.domain.screening import Screening, decide_screening, evolve_screening

__all__ = [
    "ListEntry",
    "Screening",
    "decide_list_entry",
    "decide_screening",
    "evolve_list_entry",
    "evolve_screening",
]
