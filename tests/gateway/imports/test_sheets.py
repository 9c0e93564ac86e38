"""Reading tables: what is accepted, and that hostile files are refused quickly."""

from __future__ import annotations

from datetime import date
from datetime import time as clock
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from openpyxl import Workbook

from services.gateway.imports.model import MAX_ROWS, BadFile, RawRow
from services.gateway.imports.sheets import Sheet, read_rows
from tests.gateway.imports.builders import HEADER, MAIN, raw_xlsx, sheet_xml, write_csv, xlsx


def refused(path: Path, name: str = "a.xlsx") -> str:
    with pytest.raises(BadFile) as caught:
        list(read_rows(path, name))
    return caught.value.code


def text_cell(place: str, text: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


def test_cells_of_a_workbook_come_with_their_types_under_their_headers(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "a.xlsx", [["sku", "price", "day"], ["A-1", 48.5, date(2027, 12, 31)], [None], ["A-2", 7]])

    rows = list(read_rows(path, "a.XLSX"))

    assert [row.number for row in rows] == [2, 4]
    assert rows[0].cells == {"sku": "A-1", "price": 48.5, "day": "2027-12-31"}
    assert rows[1].cells == {"sku": "A-2", "price": 7, "day": None}


def test_shared_rich_and_phonetic_texts_and_prefixed_tags_are_read(tmp_path: Path) -> None:
    strings = (
        f"<sst {MAIN}><si><t>sku</t></si><si><r><t>one</t></r><r><t> two</t></r>"
        "<rPh><t>sound</t></rPh></si><si><t>_x0041_</t></si></sst>"
    )
    sheet = (
        f'<x:worksheet xmlns:x="{MAIN[7:-1]}"><x:sheetData><x:row><x:c t="s"><x:v>0</x:v></x:c></x:row>'
        '<x:row><x:c t="s"><x:v>1</x:v></x:c></x:row><x:row><x:c t="s"><x:v>2</x:v></x:c></x:row>'
        '<x:row><x:c t="s"><x:v>9</x:v></x:c></x:row></x:sheetData></x:worksheet>'
    )

    rows = list(read_rows(raw_xlsx(tmp_path / "a.xlsx", sheet, sharedStrings=strings), "a.xlsx"))

    assert [row.cells["sku"] for row in rows] == ["one two", "A", None]
    assert rows[2].faults == {"sku": "the cell holds no readable value"}


def test_a_formula_an_error_and_a_cell_under_no_header_spoil_only_their_row(tmp_path: Path) -> None:
    book = Workbook()
    for row in (["sku", "price"], ["A", "=1+1"], ["B", 2], ["C", "#N/A"], ["D", 4, "stray"]):
        book.worksheets[0].append(row)
    book.worksheets[0]["B4"].data_type = "e"
    book.save(tmp_path / "a.xlsx")

    rows = list(read_rows(tmp_path / "a.xlsx", "a.xlsx"))

    assert [row.faults for row in rows] == [
        {"price": "formula cells are not accepted"},
        {},
        {"price": "the cell holds an error"},
        {"": "a cell stands under no header"},
    ]


def test_a_time_of_day_is_not_taken_for_a_number(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "a.xlsx", [["tiers"], [clock(10, 47)]])

    assert next(read_rows(path, "a.xlsx")).cells == {"tiers": "10:47:00"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
def test_comma_separated_files_are_read_in_the_encodings_that_spreadsheets_write(tmp_path: Path, encoding: str) -> None:
    path = write_csv(tmp_path / "a.csv", [["商品编码", "名称"], [], ["A-1", "点卡，五十元"]], encoding)

    assert [(row.number, row.cells) for row in read_rows(path, "a.csv")] == [
        (3, {"商品编码": "A-1", "名称": "点卡，五十元"})
    ]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty-file"),
        (b"a,b\n\xff\xff,1\n", "unknown-encoding"),
        ("a,b\n1,2\n".encode("utf-16"), "not-text"),
        (b'a,b\n1,2\n3,"4\n5,6\n', "damaged-file"),
        (b'a,b\n1,"2\n3,"4\n', "damaged-file"),
        (b"a,a\n1,2\n", "duplicate-header"),
        (b"=cmd|x,a\n1,2\n", "bad-header"),
        (b",".join(b"%d" % n for n in range(200)), "too-many-columns"),
        (b"a\n" + b"x" * 40_000, "cell-too-long"),
        (b"a\n" + b"x" * 400_000, "damaged-file"),
    ],
)
def test_unfit_comma_separated_files_are_refused(tmp_path: Path, content: bytes, code: str) -> None:
    (tmp_path / "a.csv").write_bytes(content)

    assert refused(tmp_path / "a.csv", "a.csv") == code


def test_files_that_are_no_workbook_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    good = xlsx(tmp_path / "good.xlsx", [["sku"], *([f"A-{n}"] for n in range(1000))]).read_bytes()
    locked = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600)

    for content, code in ((b"sku,key\n", "not-a-workbook"), (locked, "locked-or-old-file"), (b"", "not-a-workbook")):
        path.write_bytes(content)
        assert refused(path) == code
    for cut in (100, len(good) // 2, len(good) - 5):
        path.write_bytes(good[:cut])
        assert refused(path) == "damaged-file"
    with ZipFile(path, "w") as file:
        file.writestr("hello.txt", "hello")
    assert refused(path) == "not-a-workbook"
    assert refused(path, "a.xls") == "unknown-format"


def test_damage_in_the_middle_shows_before_the_first_row(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "a.xlsx", [["sku"], *([f"A-{n * 7919 % 100_003}"] for n in range(20_000))])
    with ZipFile(path) as file:
        sheet = file.getinfo("xl/worksheets/sheet1.xml")
    content = bytearray(path.read_bytes())
    content[sheet.header_offset + sheet.compress_size // 2] ^= 0xFF
    path.write_bytes(content)

    with pytest.raises(BadFile, match="damaged-file"):
        read_rows(path, "a.xlsx")


def test_an_encrypted_part_is_refused(tmp_path: Path) -> None:
    content = bytearray(raw_xlsx(tmp_path / "a.xlsx", sheet_xml("")).read_bytes())
    central = content.index(b"PK\x01\x02")
    content[central + 8] |= 1
    (tmp_path / "a.xlsx").write_bytes(content)

    assert refused(tmp_path / "a.xlsx") == "locked-or-old-file"


def test_a_zip_bomb_is_refused_by_what_it_declares_and_by_what_it_unpacks_to(tmp_path: Path) -> None:
    path = raw_xlsx(tmp_path / "a.xlsx", b"\0" * 5_000_000)
    assert refused(path) == "zip-bomb"

    content = path.read_bytes().replace((5_000_000).to_bytes(4, "little"), (900).to_bytes(4, "little"))
    path.write_bytes(content)
    assert refused(path) == "damaged-file"

    with ZipFile(path, "w", ZIP_DEFLATED) as file:
        for number in range(1001):
            file.writestr(f"{number}.xml", "")
    assert refused(path) == "zip-bomb"


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd">',
        "<!DOCTYPE a>",
    ],
)
def test_document_types_are_refused_wherever_they_stand(tmp_path: Path, doctype: str) -> None:
    in_sheet = raw_xlsx(tmp_path / "a.xlsx", sheet_xml("", before="<?xml version='1.0'?>" + " " * 5_000 + doctype))
    in_strings = raw_xlsx(tmp_path / "b.xlsx", sheet_xml(""), sharedStrings=f"{doctype}<sst {MAIN}/>")
    utf16 = raw_xlsx(tmp_path / "c.xlsx", sheet_xml("", before=doctype).encode("utf-16"))

    assert {refused(in_sheet), refused(in_strings), refused(utf16)} == {"hostile-xml"}


def test_an_endless_attribute_is_refused(tmp_path: Path) -> None:
    noise = "".join(f"{n:x}" for n in range(500_000))
    path = raw_xlsx(tmp_path / "a.xlsx", sheet_xml(f'<row r="2" spans="{noise}"/>'))

    assert refused(path) == "hostile-xml"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('<row r="2">' + text_cell("XFD2", "x") + "</row>", "too-many-columns"),
        ('<row r="2">' + text_cell("A2", "x" * 40_000) + "</row>", "cell-too-long"),
        ('<row r="2">' + text_cell("??2", "x") + "</row>", "damaged-file"),
        ('<row r="9999999"/>', "damaged-file"),
        ('<row r="3"/><row r="2"/>', "damaged-file"),
        ('<row r="2"', "damaged-file"),
    ],
)
def test_impossible_sheets_are_refused(tmp_path: Path, body: str, code: str) -> None:
    assert refused(raw_xlsx(tmp_path / "a.xlsx", sheet_xml(body))) == code


def test_a_million_empty_rows_hide_no_row(tmp_path: Path) -> None:
    empty = "".join(f'<row r="{n}"><c r="A{n}" s="1"/></row>' for n in range(2, 1_000_002))
    path = raw_xlsx(tmp_path / "a.xlsx", sheet_xml(empty + f'<row r="1000002">{text_cell("A1000002", "last")}</row>'))

    rows = list(read_rows(path, "a.xlsx"))

    assert [(row.number, row.cells["sku"]) for row in rows] == [(1_000_002, "last")]


def test_a_table_of_too_many_rows_is_cut_off() -> None:
    sheet = Sheet(iter([RawRow(1, ["sku"]), RawRow(MAX_ROWS, ["a"]), RawRow(MAX_ROWS + 1, ["b"])]))

    assert next(sheet).number == MAX_ROWS
    with pytest.raises(BadFile, match="too-many-rows"):
        next(sheet)


def test_no_detail_and_no_repr_quotes_a_cell(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [["DEMO-SECRET", "DEMO-SECRET"]])
    with pytest.raises(BadFile) as caught:
        read_rows(path, "a.csv")
    assert "SECRET" not in str(caught.value)

    row = next(
        read_rows(raw_xlsx(tmp_path / "a.xlsx", sheet_xml("<row>" + text_cell("B2", "SECRET") + "</row>")), "a.xlsx")
    )
    assert row.cells["key"] == "SECRET"
    assert "SECRET" not in repr(row)
    assert "SECRET" not in HEADER
