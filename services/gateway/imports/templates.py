"""Templates to download: headers, an example row, and a sheet of notes."""

from __future__ import annotations

from io import BytesIO
from typing import Literal

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from services.gateway.imports.columns import KEY_FIELDS, PRODUCT_FIELDS, Field

TemplateKind = Literal["products", "keys"]

_LAST_FORMATTED_ROW = 200
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
_KEY_EXAMPLE = {
    "sku": "EXAMPLE-STEAM-50",
    "key": "EXAMPLE-0000-0000-0000",
    "batch": "2027-01",
    "supplier": "alpha",
    "cost": "45.00",
    "currency": "CNY",
    "expires": "2027-12-31",
}
_TEMPLATES: dict[TemplateKind, tuple[tuple[Field, ...], dict[str, str]]] = {
    "products": (PRODUCT_FIELDS, _PRODUCT_EXAMPLE),
    "keys": (KEY_FIELDS, _KEY_EXAMPLE),
}


def template_xlsx(kind: TemplateKind) -> bytes:
    """A workbook to fill in. All its cells are texts, so that long numbers and leading zeros stay as typed."""
    fields, example = _TEMPLATES[kind]
    book = Workbook()
    book.remove(book.worksheets[0])
    _table(book.create_sheet("导入 import"), fields, example)
    _notes(book.create_sheet("说明 notes"), fields)
    file = BytesIO()
    book.save(file)
    return file.getvalue()


def _table(sheet: Worksheet, fields: tuple[Field, ...], example: dict[str, str]) -> None:
    sheet.append([field.headers[0] for field in fields])
    sheet.append([example.get(field.name) for field in fields])
    for row in sheet.iter_rows(min_row=1, max_row=_LAST_FORMATTED_ROW, max_col=len(fields)):
        for cell in row:
            cell.number_format = "@"
    for place, field in enumerate(fields, start=1):
        sheet.cell(1, place).font = Font(bold=True)
        sheet.column_dimensions[get_column_letter(place)].width = max(12, len(example.get(field.name, "")) + 4)
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
