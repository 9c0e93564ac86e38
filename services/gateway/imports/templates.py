"""Templates to download: headers, an example row, and a sheet of notes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from io import BytesIO
from typing import Literal

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from services.gateway.imports.columns import KEY_FIELDS, PRODUCT_FIELDS, Field

TemplateKind = Literal["products", "keys"]

_DATES = frozenset({"expires"})
_TEXT, _DATE = "@", "yyyy-mm-dd"
_PRODUCT_EXAMPLE = {
    "sku": "EXAMPLE-STEAM-50",
    "name": "Steam 充值卡 50 元 (example)",
    "price": "48.50",
    "kind": "卡密",
    "source": "自有卡密",
    "face_value": "50.00",
    "cost": "45.00",
    "currency": "CNY",
    "category": "游戏/Steam/充值卡",
    "tags": "热销,自动发货",
    "tiers": "10:47.00;50:46.00",
    "per_order_limit": "100",
    "low_stock_threshold": "20",
    "on_sale": "是",
}
_KEY_EXAMPLE: dict[str, str | date] = {
    "sku": "EXAMPLE-STEAM-50",
    "key": "EXAMPLE-0000-0000-0000",
    "batch": "2027-01",
    "supplier": "alpha",
    "cost": "45.00",
    "currency": "CNY",
    "expires": date(2027, 12, 31),
}
_TEMPLATES: dict[TemplateKind, tuple[tuple[Field, ...], Mapping[str, str | date]]] = {
    "products": (PRODUCT_FIELDS, _PRODUCT_EXAMPLE),
    "keys": (KEY_FIELDS, _KEY_EXAMPLE),
}


def template_xlsx(kind: TemplateKind) -> bytes:
    """A workbook to fill in. Whole columns are texts, so that long numbers and leading zeros stay as typed; days are
    dates."""
    fields, example = _TEMPLATES[kind]
    book = Workbook()
    book.remove(book.worksheets[0])
    _table(book.create_sheet("导入 import"), fields, example)
    _notes(book.create_sheet("说明 notes"), fields)
    file = BytesIO()
    book.save(file)
    return file.getvalue()


def _table(sheet: Worksheet, fields: tuple[Field, ...], example: Mapping[str, str | date]) -> None:
    sheet.append([field.headers[0] for field in fields])
    sheet.append([example.get(field.name) for field in fields])
    for place, field in enumerate(fields, start=1):
        number_format = _DATE if field.name in _DATES else _TEXT
        column = sheet.column_dimensions[get_column_letter(place)]
        column.number_format = number_format  # of every cell that is entered later, in whichever row
        column.width = max(12, len(str(example.get(field.name, ""))) + 4)
        sheet.cell(1, place).font = Font(bold=True)
        sheet.cell(1, place).number_format = _TEXT
        sheet.cell(2, place).number_format = number_format
    sheet.freeze_panes = "A2"


def _notes(sheet: Worksheet, fields: tuple[Field, ...]) -> None:
    sheet.append(["列 column", "必填 required", "也可写作 other names", "说明 notes"])
    for field in fields:
        sheet.append([field.headers[0], "是" if field.required else "", ", ".join(field.headers[1:]), field.note])
    sheet.append([])
    sheet.append(["Replace the example row. Cells with formulas are refused; format columns of codes as text."])
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    for letter, width in zip("ABCD", (16, 14, 48, 64), strict=True):
        sheet.column_dimensions[letter].width = width
