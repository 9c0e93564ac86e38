"""Small spreadsheets and a stand-in for inventory."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from openpyxl import Workbook

from services.gateway.imports import sheets
from services.gateway.imports.keys import KeySealing
from services.gateway.imports.model import BadFile
from services.gateway.imports.sheets import Sheet
from shared.contracts import Command
from shared.contracts.inventory import ListProduct, LoadKeys
from shared.messages.messages import Reply
from shared.security.sealing import KeyPair, keypair_from_secret

MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
WORKBOOK = f'<workbook {MAIN} xmlns:r="{LINKS}"><sheets><sheet name="a" sheetId="1" r:id="rId1"/></sheets></workbook>'
RELATIONS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    f'<Relationship Id="rId1" Type="{LINKS}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
)
HEADER = (
    '<row r="1"><c r="A1" t="inlineStr"><is><t>sku</t></is></c><c r="B1" t="inlineStr"><is><t>key</t></is></c></row>'
)

STOCK_KEYS: KeyPair = keypair_from_secret(b"k" * 32)
SEALING = KeySealing(public=STOCK_KEYS.public, index_key=b"i" * 32, random_bytes=os.urandom)


def read_rows(path: Path, name: str) -> Sheet:
    file = path.open("rb")
    file.seek(0, os.SEEK_END)  # as whoever has just written it leaves it
    return sheets.read_rows(file, name)


def xlsx(path: Path, rows: Sequence[Sequence[object]]) -> Path:
    book = Workbook()
    for row in rows:
        book.worksheets[0].append(list(row))
    book.save(path)
    return path


def raw_xlsx(path: Path, sheet: str | bytes, **parts: str | bytes) -> Path:
    """A workbook whose sheet is this XML; further parts by name below xl/, such as `sharedStrings`."""
    with ZipFile(path, "w", ZIP_DEFLATED) as file:
        file.writestr("xl/workbook.xml", WORKBOOK)
        file.writestr("xl/_rels/workbook.xml.rels", RELATIONS)
        file.writestr("xl/worksheets/sheet1.xml", sheet)
        for name, part in parts.items():
            file.writestr(f"xl/{name}.xml", part)
    return path


def sheet_xml(body: str, before: str = "") -> str:
    return f"{before}<worksheet {MAIN}><sheetData>{HEADER}{body}</sheetData></worksheet>"


def write_csv(path: Path, rows: Sequence[Sequence[object]], encoding: str = "utf-8") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@dataclass
class Inventory:
    """Answers as inventory does, from memory; `silent` ids of SKUs never answer."""

    listings: dict[str, object] = field(default_factory=dict)
    indexes: set[str] = field(default_factory=set)
    supplied: set[str] = field(default_factory=set)
    silent: frozenset[str] = frozenset()
    today: date = date(2026, 3, 1)
    sent: list[tuple[str, Command]] = field(default_factory=list)

    async def send(self, command_id: str, command: Command) -> Reply:
        self.sent.append((command_id, command))
        if command.partition_key() in self.silent:
            raise TimeoutError
        match command:
            case ListProduct():
                return self._list(command)
            case LoadKeys() if command.sku not in self.listings:
                detail = f"no product is listed as {command.sku}"
                return Reply("refused", "inventory", 1, code="unknown-sku", detail=detail, status=404)
            case LoadKeys():
                return self._load(command)
            case _:
                raise AssertionError(command)

    def _list(self, command: ListProduct) -> Reply:
        known = self.listings.get(command.sku)
        fate = "listed" if known is None else "unchanged" if known == command.listing else "changed"
        if not command.dry_run:
            self.listings[command.sku] = command.listing
        return Reply("accepted", "inventory", 1, answer={"fate": fate})

    def _load(self, command: LoadKeys) -> Reply:
        if command.expires_on and command.expires_on < self.today:
            return Reply("accepted", "inventory", 1, answer={"loaded": 0, "duplicates": [], "expired": True})
        duplicates = [place for place, key in enumerate(command.keys) if key.index in self.indexes | self.supplied]
        if not command.dry_run:
            self.indexes.update(key.index for key in command.keys)
        answer = {"loaded": len(command.keys) - len(duplicates), "duplicates": duplicates}
        if self.supplied:
            answer["supplied"] = [place for place, key in enumerate(command.keys) if key.index in self.supplied]
        return Reply("accepted", "inventory", 1, answer=answer)


def refused(path: Path, name: str = "a.xlsx") -> str:
    """The code that a file is refused with."""
    with pytest.raises(BadFile) as caught:
        list(read_rows(path, name))
    return caught.value.code
