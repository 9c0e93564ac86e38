import pytest

from shared.contracts.fulfillment import PurchaseReport
from tests.fulfillment.builders import COST, ID, report


def test_a_report_is_recorded_for_the_purchase_it_answers() -> None:
    purchase_report = PurchaseReport(request_id=f"{ID}#north", outcome="done", supplier_ref="n-7", cost=COST)

    assert purchase_report.told_by("north") == report("north", "done", supplier_ref="n-7")


@pytest.mark.parametrize("request_id", [f"{ID}#south", ID, "north"])
def test_a_report_on_another_suppliers_purchase_is_not_taken(request_id: str) -> None:
    with pytest.raises(ValueError, match="is not one of north"):
        PurchaseReport(request_id=request_id, outcome="failed").told_by("north")
