"""What a query asks for."""

from __future__ import annotations

import pytest

from observability.queries import selectors, unknown

P95 = 'histogram_quantile(0.95, sum by (le, service) (rate(kameng_batch_size_bucket{service=~"a.5"}[5m])))'


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("max(kameng_parked) > 0", {"kameng_parked"}),
        (P95, {'kameng_batch_size_bucket{service=~"a.5"}'}),
        ("a - max by (service) (a offset 1h) > 1e3", {"a"}),
        ('absent(a{b="c"}) or absent(d)', {'a{b="c"}', "d"}),
        ("x:ratio_5m > 14.4 * 0.001 and on (b) y", {"x:ratio_5m", "y"}),
    ],
)
def test_the_selectors_of_a_query(expression: str, found: set[str]) -> None:
    assert {selector for _, selector in selectors(expression)} == found


def test_a_name_that_nobody_tells_is_found() -> None:
    assert unknown("rate(kameng_bathces_total[5m]) + kameng_batch_size_sum + seen", frozenset({"seen"})) == {
        "kameng_bathces_total"
    }
