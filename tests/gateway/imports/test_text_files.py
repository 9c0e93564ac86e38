"""Reading text files: encodings, delimiters, rows that are short or hold nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gateway.imports.builders import read_rows, refused, write_csv


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "utf-16", "utf-32"])
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
        ("a,b\n1,2\n".encode("utf-16-le"), "not-text"),
        (b'a,b\n1,2\n3,"4\n5,6\n', "damaged-file"),
        (b'a,b\n1,"2\n3,"4\n', "damaged-file"),
        (b"a,a\n1,2\n", "duplicate-header"),
        (b"=cmd,a\n1,2\n", "bad-header"),
        (b"a|x,a\n1,2\n", "unknown-delimiter"),
        (b",".join(b"%d" % n for n in range(200)), "too-many-columns"),
        (b"a\n" + b"x" * 40_000, "cell-too-long"),
        (b"a\n" + b"x" * 400_000, "damaged-file"),
    ],
)
def test_unfit_comma_separated_files_are_refused(tmp_path: Path, content: bytes, code: str) -> None:
    (tmp_path / "a.csv").write_bytes(content)

    assert refused(tmp_path / "a.csv", "a.csv") == code


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_whatever_stands_in_quotes(tmp_path: Path, delimiter: str) -> None:
    rows = [["sku", '"price, or;cost|of\tone\n(yuan)"', "key"], ["A-1", ' "4,50"', ' "K;1"']]
    content = "\r\n" + "\r\n".join(delimiter.join(row) for row in rows)
    (tmp_path / "a.csv").write_text(content, newline="")

    sheet = read_rows(tmp_path / "a.csv", "a.txt")

    assert sheet.headers == ("sku", "price, or;cost|of one (yuan)", "key")
    assert list(next(sheet).cells.values()) == ["A-1", "4,50", "K;1"]


def test_excels_line_that_names_the_delimiter_is_no_row(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("sep=;\nsku;key\nA;1,5\n")

    assert [dict(row.cells) for row in read_rows(tmp_path / "a.csv", "a.csv")] == [{"sku": "A", "key": "1,5"}]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("big5", "商品編號,名稱\nA-1,點數卡五十元\n"),
        ("cp1252", "sku,name\nA-1,Crédit à l'été\n"),
        ("latin-1", "sku,name\nA-1,Müller größe\n"),
        ("shift_jis", "sku,name\nA-1,ギフトカード\n"),
    ],
)
def test_a_text_in_an_encoding_that_is_only_guessed_is_refused(tmp_path: Path, encoding: str, text: str) -> None:
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))

    assert refused(tmp_path / "a.csv", "a.csv") == "unknown-encoding"


def test_rows_of_spaces_hold_nothing_and_short_rows_are_reported(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("sku,key,cost\n , \u3000,\u200b\nA,1\nB,2,3, \n")

    sheet = read_rows(tmp_path / "a.csv", "a.csv")

    assert [(row.number, row.cells["key"], row.faults) for row in sheet] == [(3, "1", {}), (4, "2", {})]
    assert [(note.code, note.count) for note in sheet.notes] == [("short-rows", 1)]
