"""Reading the cells of workbooks: what a number format, a date or a boolean says."""

from __future__ import annotations

from datetime import time as clock
from pathlib import Path

import pytest

from services.gateway.imports.model import Flag, Moment, Number
from tests.gateway.imports.builders import MAIN, raw_xlsx, read_rows, sheet_xml, xlsx


def test_a_time_of_day_is_not_taken_for_a_number(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "a.xlsx", [["tiers"], [clock(10, 47)]])

    assert next(read_rows(path, "a.xlsx")).cells == {"tiers": Moment("10:47:00")}


def styles(*codes: str) -> str:
    formats = "".join(f'<numFmt numFmtId="{164 + n}" formatCode="{code}"/>' for n, code in enumerate(codes))
    xfs = "".join(f'<xf numFmtId="{164 + n}"/>' for n in range(len(codes)))
    return f'<styleSheet {MAIN}><numFmts>{formats}</numFmts><cellXfs><xf numFmtId="0"/>{xfs}</cellXfs></styleSheet>'


def builtin(number: int) -> str:
    return f'<styleSheet {MAIN}><cellXfs><xf numFmtId="0"/><xf numFmtId="{number}"/></cellXfs></styleSheet>'


@pytest.mark.parametrize(
    ("code", "number", "shown"),
    [
        ("0000000000", "12345678", "0012345678"),
        ("0", "5.0", "5"),
        ("000-0000", "1234567", "123-4567"),
        ("000-0000", "51234567", "5123-4567"),
        ("&quot;SKU-&quot;0000_ ;[Red]-0", "12", "SKU-0012"),
        ("0000", "12.5", None),
        ("0000", "-12", None),
        ("#,##0", "1234", None),
        ("0.00E+00", "1234", None),
        ("0%", "1", None),
        ("# ?/?", "1", None),
        ("[&gt;99]0000;000", "12", None),
        ("0*-", "12", None),
        ("[DBNum1]0", "5", None),
        ("[DBNum2][$-804]General", "5", None),
        ("[$-2000401]0", "5", None),
        ("[$SKU-]0", "5", None),
        ("[Red]0", "5", "5"),
    ],
)
def test_a_number_is_what_its_format_shows_where_that_is_certain(
    tmp_path: Path, code: str, number: str, shown: str | None
) -> None:
    sheet = sheet_xml(f'<row r="2"><c r="A2" s="1"><v>{number}</v></c></row>')

    row = next(read_rows(raw_xlsx(tmp_path / "a.xlsx", sheet, styles=styles(code)), "a.xlsx"))

    cell = row.cells["sku"]
    assert isinstance(cell, Number)
    assert (cell.value, cell.shown) == (float(number), shown)


@pytest.mark.parametrize("written", ["1_000", "-0", "-0.0", "+-1", "0x10", "nan", "inf", "1e", "٤٨", "1 000", "1,000"])
def test_what_is_no_number_of_a_workbook_is_an_unreadable_cell(tmp_path: Path, written: str) -> None:
    sheet = sheet_xml(f'<row r="2"><c r="A2"><v>{written}</v></c></row>')

    row = next(read_rows(raw_xlsx(tmp_path / "a.xlsx", sheet), "a.xlsx"))

    assert row.faults == {"sku": "the cell holds no readable value"}


@pytest.mark.parametrize(
    ("written", "number"), [("12", 12), (" 1.5 ", 1.5), ("1.5E-3", 0.0015), ("-.5", -0.5), ("0", 0)]
)
def test_numbers_are_read_as_workbooks_write_them(tmp_path: Path, written: str, number: float) -> None:
    sheet = sheet_xml(f'<row r="2"><c r="A2"><v>{written}</v></c></row>')

    assert next(read_rows(raw_xlsx(tmp_path / "a.xlsx", sheet), "a.xlsx")).cells["sku"] == number


@pytest.mark.parametrize("number", [14, 17, 22, 31, 45, 57, 58])
def test_dates_of_every_language_are_no_numbers(tmp_path: Path, number: int) -> None:
    sheet = sheet_xml('<row r="2"><c r="A2" s="1"><v>46480</v></c></row>')

    row = next(read_rows(raw_xlsx(tmp_path / "a.xlsx", sheet, styles=builtin(number)), "a.xlsx"))

    assert isinstance(row.cells["sku"], Moment)


def test_booleans_iso_dates_and_unknown_types_are_distinguished(tmp_path: Path) -> None:
    cells = [("b", "1"), ("d", "2027-12-31"), ("d", "2027-12-31T10:47:00Z"), ("d", "soon"), ("x", "1")]
    body = "".join(f'<row r="{n}"><c r="A{n}" t="{t}"><v>{v}</v></c></row>' for n, (t, v) in enumerate(cells, 2))

    rows = list(read_rows(raw_xlsx(tmp_path / "a.xlsx", sheet_xml(body)), "a.xlsx"))

    assert [row.cells["sku"] for row in rows[:3]] == [Flag(True), Moment("2027-12-31"), Moment("2027-12-31T10:47:00")]
    assert [row.faults for row in rows[3:]] == [{"sku": "the cell holds no readable value"}] * 2


@pytest.mark.parametrize("cell", ['t="inlineStr"><is><t>48.50</t></is>', 't="str"><v>1</v>', 't="b"><v>1</v>'])
def test_a_text_under_a_format_that_shows_another_is_reported_with_what_to_do(tmp_path: Path, cell: str) -> None:
    body = "".join(
        f'<row r="{row}"><c r="A{row}" s="{style}" {cell}</c></row>' for row, style in ((2, 1), (3, 2), (4, 9))
    )
    part = styles("&quot;9&quot;@", "yyyy-mm-dd;@")

    first, second, third = read_rows(raw_xlsx(tmp_path / "a.xlsx", sheet_xml(body), styles=part), "a.xlsx")

    for row in (first, third):
        assert "format it as text" in row.faults["sku"]
    assert second.faults == {}


def test_a_shared_text_under_a_format_that_hides_it_is_not_read(tmp_path: Path) -> None:
    body = '<row r="2"><c r="A2" s="1" t="s"><v>0</v></c></row>'
    strings = f"<sst {MAIN}><si><t>A-1</t></si></sst>"

    (row,) = read_rows(
        raw_xlsx(tmp_path / "a.xlsx", sheet_xml(body), styles=styles(";;;"), sharedStrings=strings), "a.xlsx"
    )

    assert "format it as text" in row.faults["sku"]


@pytest.mark.parametrize("cell", ["<v>46480</v>", "<v>2027-04-03</v>"])
def test_a_date_is_whole_where_its_format_shows_it_whole(tmp_path: Path, cell: str) -> None:
    kind = ' t="d"' if "-" in cell else ""
    body = "".join(f'<row r="{row}"><c r="A{row}" s="{row - 1}"{kind}>{cell}</c></row>' for row in (2, 3))
    part = styles("yyyy-mm-dd", "&quot;2031-01-05 &quot;yyyy-mm-dd")

    rows = list(read_rows(raw_xlsx(tmp_path / "a.xlsx", sheet_xml(body), styles=part), "a.xlsx"))

    assert [row.cells["sku"] for row in rows] == [Moment("2027-04-03"), Moment("2027-04-03", is_whole_day=False)]


def test_a_day_before_all_days_is_none(tmp_path: Path) -> None:
    body = '<row r="2"><c r="A2" s="1"><v>-1</v></c></row>'

    (row,) = read_rows(raw_xlsx(tmp_path / "a.xlsx", sheet_xml(body), styles=builtin(14)), "a.xlsx")

    assert row.faults == {"sku": "the cell holds no readable value"}


def test_a_cell_of_neither_yes_nor_no_is_unreadable(tmp_path: Path) -> None:
    body = '<row r="2"><c r="A2" t="b"><v>TRUE</v></c></row>'

    (row,) = read_rows(raw_xlsx(tmp_path / "a.xlsx", sheet_xml(body)), "a.xlsx")

    assert row.faults == {"sku": "the cell holds no readable value"}


def test_a_format_is_found_by_its_number_however_that_is_written(tmp_path: Path) -> None:
    body = '<row r="2"><c r="A2" s=" 1 "><v>5</v></c></row>'
    part = styles("0%").replace('numFmt numFmtId="164"', 'numFmt numFmtId=" 0164 "')

    (row,) = read_rows(raw_xlsx(tmp_path / "a.xlsx", sheet_xml(body), styles=part), "a.xlsx")

    assert row.cells["sku"] == Number(5, None, is_other_amount=True)
