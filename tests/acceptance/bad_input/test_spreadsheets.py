"""Hostile spreadsheets: bombs, damaged files, formulas."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from demo.shop import answer_of
from tests.acceptance.bad_input.shop import CARD, Shop, problem
from tests.gateway.imports.builders import raw_xlsx, sheet_xml, xlsx


def _bomb(folder: Path) -> bytes:
    path = folder / "bomb.xlsx"
    with ZipFile(path, "w", ZIP_DEFLATED) as file:
        file.writestr("xl/workbook.xml", b"0" * 300_000_000)
    return path.read_bytes()


def _entities(folder: Path) -> bytes:
    layers = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    before = f'<!DOCTYPE worksheet [<!ENTITY e0 "lol">{layers}]>'
    body = '<row r="2"><c r="A2" t="inlineStr"><is><t>&e9;</t></is></c></row>'
    return raw_xlsx(folder / "entities.xlsx", sheet_xml(body, before)).read_bytes()


def _outside(folder: Path) -> bytes:
    before = '<!DOCTYPE worksheet [<!ENTITY file SYSTEM "file:///etc/passwd">]>'
    body = '<row r="2"><c r="A2" t="inlineStr"><is><t>&file;</t></is></c></row>'
    return raw_xlsx(folder / "outside.xlsx", sheet_xml(body, before)).read_bytes()


def _good(folder: Path) -> bytes:
    return xlsx(folder / "good.xlsx", [("sku", "key"), (CARD, "NEW-KEY-1")]).read_bytes()


FILES: dict[str, tuple[str, Callable[[Path], bytes], str]] = {
    "zip bomb": ("keys.xlsx", _bomb, "zip-bomb"),
    "entity bomb": ("keys.xlsx", _entities, ""),
    "entity of a file": ("keys.xlsx", _outside, ""),
    "truncated": ("keys.xlsx", lambda folder: _good(folder)[:-30], "damaged-file"),
    "half": ("keys.xlsx", lambda folder: _good(folder)[: len(_good(folder)) // 2], "damaged-file"),
    "a workbook named csv": ("keys.csv", _good, "not-text"),
    "a table named xlsx": ("keys.xlsx", lambda folder: b"sku,key\nCARD,NEW-KEY-2\n", "not-a-workbook"),
    "another ending": ("keys.exe", _good, "unknown-format"),
    "no ending": ("keys", _good, "unknown-format"),
    "empty": ("keys.csv", lambda folder: b"", "empty-file"),
    "empty workbook": ("keys.xlsx", lambda folder: xlsx(folder / "empty.xlsx", []).read_bytes(), "empty-file"),
    "not a workbook": ("keys.xlsx", lambda folder: b"PK\x03\x04" + bytes(1_000), "damaged-file"),
    "neither UTF-8 nor GBK": ("keys.csv", lambda folder: b"sku,key\n\xff\xff\xff,1\n", "unknown-encoding"),
    "no such columns": ("keys.csv", lambda folder: b"a,b\nCARD,NEW-KEY-3\n", "missing-column"),
    "columns alike": ("keys.csv", lambda folder: b"sku,key,key\nCARD,NEW-KEY-4,x\n", "duplicate-header"),
    "formula as a header": ("keys.csv", lambda folder: b"sku,key,=1+1\nCARD,NEW-KEY-5,x\n", "bad-header"),
}


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(("name", "content", "code"), FILES.values(), ids=FILES)
def test_a_hostile_file_is_refused(
    shop: Shop, tmp_path: Path, name: str, content: Callable[[Path], bytes], code: str
) -> None:
    refusal = problem(shop.market.run(shop.market.upload("keys", name, content(tmp_path))), 422)
    assert refusal["code"] == code or not code
    assert "root:" not in refusal["detail"]


def test_a_million_empty_rows_are_nothing(shop: Shop, tmp_path: Path) -> None:
    rows = "".join(f'<row r="{number}"/>' for number in range(2, 1_000_001))
    content = raw_xlsx(tmp_path / "empty-rows.xlsx", sheet_xml(rows)).read_bytes()
    before = shop.market.platform.heads()

    report = answer_of(shop.market.run(shop.market.upload("keys", "keys.xlsx", content)))

    assert (report["rows"], report["counts"], report["broken"]) == (0, {}, None)
    after = shop.market.platform.heads()
    assert {**after, "gateway": 0} == {**before, "gateway": 0}


def test_formulas_and_bad_cells_are_left_out(shop: Shop, tmp_path: Path) -> None:
    rows = [
        ("sku", "key", "cost"),
        (CARD, '=HYPERLINK("http://evil.example","x")', 1),
        (CARD, "=cmd|' /C calc'!A0", 1),
        ("=1+1", "spare-1", 1),
        (CARD, "@SUM(A1)", 1),
        (CARD, "spare-2", "=1+1"),
        (CARD, "spare-3", -1),
        (CARD, "spare-4", "much"),
        (CARD, 12345678901234567890, 1),
        (CARD, None, 1),
        (None, "spare-5", 1),
    ]
    before = shop.market.platform.heads()
    content = xlsx(tmp_path / "formulas.xlsx", rows).read_bytes()

    report = answer_of(shop.market.run(shop.market.upload("keys", "keys.xlsx", content)))

    assert report["counts"] == {"bad": len(rows) - 1}
    assert [problem["row"] for problem in report["problems"]] == list(range(2, len(rows) + 1))
    after = shop.market.platform.heads()
    assert {**after, "gateway": 0} == {**before, "gateway": 0}
