"""Reading workbooks: what is accepted, and that hostile files are refused quickly."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from openpyxl import Workbook

from services.gateway.imports.model import MAX_ROWS, BadFile, Flag, Moment, RawRow
from services.gateway.imports.sheets import Sheet
from tests.gateway.imports.builders import HEADER, MAIN, raw_xlsx, read_rows, refused, sheet_xml, write_csv, xlsx


def text_cell(place: str, text: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


def test_cells_of_a_workbook_come_with_their_types_under_their_headers(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "a.xlsx", [["sku", "price", "day"], ["A-1", 48.5, date(2027, 12, 31)], [None], ["A-2", 7]])

    rows = list(read_rows(path, "a.XLSX"))

    assert [row.number for row in rows] == [2, 4]
    assert rows[0].cells == {"sku": "A-1", "price": 48.5, "day": Moment("2027-12-31")}
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
        ('<row r="two"/>', "damaged-file"),
        ('<row r="2">' + text_cell("B2", "x") + text_cell("B2", "y") + "</row>", "damaged-file"),
        ('<row r="2">' + text_cell("B2", "x") + text_cell("A2", "y") + "</row>", "damaged-file"),
        ('<row r="2">' + text_cell("A2", "x") + text_cell("B7", "y") + "</row>", "damaged-file"),
        ('<row r="2"><c r="A2"><v>1</v><v>2</v></c></row>', "damaged-file"),
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


def test_the_first_visible_sheet_is_read_and_what_is_left_out_is_named(tmp_path: Path) -> None:
    book = Workbook()
    for number, state in enumerate(("hidden", "veryHidden", "visible", "visible")):
        sheet = book.create_sheet(f"s{number}")
        sheet.append(["sku", "key"])
        sheet.append([f"A-{number}", "K"])
        sheet.sheet_state = state
    book.remove(book.worksheets[0])
    book.active = 2
    shown = book["s2"]
    for number in range(3, 7):
        shown.append([f"A-{number}", f"K-{number}"])
    shown.row_dimensions[3].hidden = shown.row_dimensions[4].hidden = True
    shown.merge_cells("A5:A6")
    book.save(tmp_path / "a.xlsx")

    sheet = read_rows(tmp_path / "a.xlsx", "a.xlsx")
    rows = list(sheet)

    assert [(row.number, row.cells["sku"], row.is_hidden) for row in rows] == [
        (2, "A-2", False), (3, "A-3", True), (4, "A-4", True), (5, "A-5", False), (6, None, False),
    ]  # fmt: skip
    assert rows[4].faults == {"sku": "the cell is merged with another, and has no value of its own: unmerge it"}
    assert {note.code: note.count for note in sheet.notes} == {
        "other-sheets": 1, "hidden-sheets": 2, "merged-cells": 1, "hidden-rows": 2,
    }  # fmt: skip


def test_hidden_columns_are_known(tmp_path: Path) -> None:
    columns = '<cols><col min="2" max="3" hidden="1"/><col min="4" max="4" width="0" customWidth="1"/></cols>'
    cells = "".join(text_cell(f"{letter}1", name) for letter, name in zip("ABCDE", "vwxyz", strict=True))
    sheet = f'<worksheet {MAIN}>{columns}<sheetData><row r="1">{cells}</row></sheetData></worksheet>'

    assert read_rows(raw_xlsx(tmp_path / "a.xlsx", sheet), "a.xlsx").hidden_headers == ("w", "x", "y")


def test_parts_are_found_by_relationships_and_without_regard_to_case(tmp_path: Path) -> None:
    kinds = "http://purl.oclc.org/ooxml/officeDocument/relationships"
    relations = "http://schemas.openxmlformats.org/package/2006/relationships"

    def links(**targets: str) -> str:
        inner = "".join(
            f'<Relationship Id="{kind}" Type="{kinds}/{kind}" Target="{target}"/>' for kind, target in targets.items()
        )
        return f'<Relationships xmlns="{relations}">{inner}</Relationships>'

    sheets = '<sheet name="c" sheetId="1" q:id="chartsheet"/><sheet name="a" sheetId="2" q:id="worksheet"/>'
    with ZipFile(tmp_path / "a.xlsx", "w") as file:
        file.writestr("_RELS/.Rels", links(officeDocument="/Book/Main.XML"))
        file.writestr("book\\main.xml", f'<workbook {MAIN} xmlns:q="{kinds}"><sheets>{sheets}</sheets></workbook>')
        file.writestr(
            "book/_rels/MAIN.xml.rels",
            links(chartsheet="c.xml", worksheet="../data/one.xml", sharedStrings="T.xml"),
        )
        cell = '<sheetData><row><c t="s"><v>0</v></c></row></sheetData>'
        file.writestr("Data/One.xml", f"<worksheet {MAIN}>{cell}</worksheet>")
        file.writestr("book/t.xml", f"<sst {MAIN}><si><t>sku</t></si></sst>")

    assert read_rows(tmp_path / "a.xlsx", "a.xlsx").headers == ("sku",)


@pytest.mark.parametrize("refs", [["A2:??"], [""], ["A0:B2"], [f"A2:B{n + 3}" for n in range(500)]])
def test_merged_cells_that_no_spreadsheet_has_are_refused(tmp_path: Path, refs: list[str]) -> None:
    areas = "".join(f'<mergeCell ref="{ref}"/>' for ref in refs)
    rows = f'<sheetData>{HEADER}<row r="2">{text_cell("A2", "x")}</row></sheetData>'
    sheet = f"<worksheet {MAIN}>{rows}<mergeCells>{areas}</mergeCells></worksheet>"

    assert refused(raw_xlsx(tmp_path / "a.xlsx", sheet)) == "damaged-file"


@pytest.mark.parametrize("written", ["1", "true", " 1 ", "\ttrue\n"])
def test_yes_is_read_as_xml_writes_it_wherever_it_stands(tmp_path: Path, written: str) -> None:
    columns = f'<cols><col min=" 2 " max="+2" hidden="{written}"/></cols>'
    row = f'<row r="2" hidden="{written}"><c r="A2" t="b"><v>{written}</v></c></row>'
    shown = f'<row r="3" hidden=" 0 " ht="15">{text_cell("A3", "x")}</row>'
    flat = f'<row r="4" ht=" 0e0 ">{text_cell("A4", "x")}</row>'
    header = HEADER.replace("<row", '<row hidden="false"')
    data = f"<sheetData>{header}{row}{shown}{flat}</sheetData>"
    sheet = f'<worksheet {MAIN}><sheetFormatPr zeroHeight="{written}"/>{columns}{data}</worksheet>'

    read = read_rows(raw_xlsx(tmp_path / "a.xlsx", sheet), "a.xlsx")

    assert read.hidden_headers == ("key",)
    assert [(one.cells["sku"], one.is_hidden) for one in read] == [(Flag(True), True), ("x", False), ("x", True)]


@pytest.mark.parametrize(
    "row",
    ['<row r="2" hidden="TRUE"/>', '<row r="2" hidden=""/>', '<row r="2" ht="low"/>', '<row r="2" hidden="\u0661"/>'],
)
def test_what_is_neither_yes_nor_no_is_damage(tmp_path: Path, row: str) -> None:
    assert refused(raw_xlsx(tmp_path / "a.xlsx", sheet_xml(row))) == "damaged-file"


@pytest.mark.parametrize("column", ['hidden="yes" min="1" max="1"', 'hidden="1" max="1"', 'hidden="1" min="1" max="b"'])
def test_a_column_that_may_be_hidden_is_damage(tmp_path: Path, column: str) -> None:
    sheet = f"<worksheet {MAIN}><cols><col {column}/></cols><sheetData>{HEADER}</sheetData></worksheet>"

    assert refused(raw_xlsx(tmp_path / "a.xlsx", sheet)) == "damaged-file"
