"""Writes the demo catalogue beside itself: products.xlsx (over 200 SKUs) and keys.xlsx (over 5,000 card keys).

    uv run python deploy/demo/make_catalogue.py [directory]

The same workbooks byte for byte at every run: one seed, fixed times. Import products.xlsx first, then keys.xlsx.
What is sold is in families.csv, but for the SKU LAST-10, of which there are exactly ten, to see stock run short. All
keys are made up (DEMO-XXXX-XXXX-XXXX).
"""

from __future__ import annotations

import csv
import random
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

FAMILIES = Path(__file__).with_name("families.csv")
SEED = 20_270_101
SCARCE_SKU, SCARCE_KEYS = "LAST-10", 10
KEYS_A_BATCH = 25
PRODUCT_HEADERS = [
    "SKU",
    "名称",
    "类型",
    "来源",
    "分类",
    "标签",
    "面值",
    "售价",
    "阶梯价",
    "成本",
    "币种",
    "供应商",
    "单笔上限",
    "预警",
    "上架",
]
KEY_HEADERS = ["SKU", "卡密", "批次", "供应商", "成本", "到期日"]
BATCHES = (("2027-01", "alpha", "2028-12-31"), ("2027-02", "beta", "2029-06-30"))

_TIMES = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*")
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


@dataclass(frozen=True)
class Family:
    """Products that differ in face value only. `price` and `cost` are parts of the face value."""

    code: str
    name: str
    category: str
    faces: tuple[int, ...]
    unit: str
    price: str
    cost: str
    kind: str
    source: str
    tags: str


def families() -> list[Family]:
    """Those of families.csv."""
    with FAMILIES.open(encoding="utf-8", newline="") as table:
        return [_family(row) for row in csv.DictReader(table)]


def _family(row: dict[str, Any]) -> Family:
    row["faces"] = tuple(map(int, row["faces"].split()))
    return Family(**row)


def _yuan(amount: Decimal) -> str:
    return str(amount.quantize(Decimal("0.01"), ROUND_HALF_UP))


def products() -> list[dict[str, str]]:
    """One dict a product, by header."""
    return [_product(family, face) for family in families() for face in family.faces] + [_scarce()]


def _product(family: Family, face: int) -> dict[str, str]:
    price, own = Decimal(family.price) * face, family.source == "自有卡密"
    return {
        "SKU": f"{family.code}-{face}",
        "名称": f"{family.name} {face} {family.unit}",
        "类型": family.kind,
        "来源": family.source,
        "分类": family.category,
        "标签": family.tags,
        "面值": _yuan(Decimal(face)) if family.unit == "元" else "",
        "售价": _yuan(price),
        "阶梯价": f"10:{_yuan(price * Decimal('0.99'))};50:{_yuan(price * Decimal('0.98'))}" if own else "",
        "成本": _yuan(Decimal(family.cost) * face),
        "币种": "CNY",
        "供应商": "alpha,beta" if family.source == "供应商" else "",
        "单笔上限": "2000" if own else "10",
        "预警": "10" if own else "0",
        "上架": "是",
    }


def _scarce() -> dict[str, str]:
    family = Family(
        "LAST", "限量典藏礼包 最后", "游戏/限量/典藏", (10,), "份", "19.90", "12", "卡密", "自有卡密", "限量"
    )
    return _product(family, 10) | {
        "SKU": SCARCE_SKU,
        "售价": "199.00",
        "阶梯价": "",
        "成本": "120.00",
        "单笔上限": "5",
        "预警": "3",
    }


def keys(listed: Sequence[dict[str, str]]) -> Iterator[dict[str, str]]:
    """One dict a key, by header, for every product sold from own keys."""
    chance = random.Random(SEED)
    for product in listed:
        if product["来源"] != "自有卡密":
            continue
        scarce = product["SKU"] == SCARCE_SKU
        for batch, supplier, expires in BATCHES[:1] if scarce else BATCHES:
            for _ in range(SCARCE_KEYS if scarce else KEYS_A_BATCH):
                yield {
                    "SKU": product["SKU"],
                    "卡密": _key(chance),
                    "批次": f"{product['SKU']}-{batch}",
                    "供应商": supplier,
                    "成本": product["成本"],
                    "到期日": expires,
                }


def _key(chance: random.Random) -> str:
    return "-".join(("DEMO", *("".join(chance.choices(_ALPHABET, k=4)) for _ in range(3))))


def write(path: Path, title: str, headers: Sequence[str], rows: Sequence[dict[str, str]]) -> None:
    """One sheet, every cell a text, the same bytes for the same rows."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = title
    sheet.append(list(headers))
    for row in rows:
        sheet.append([row[header] or None for header in headers])
    for place in range(1, len(headers) + 1):
        sheet.cell(1, place).font = Font(bold=True)
        sheet.column_dimensions[get_column_letter(place)].width = 18
    sheet.freeze_panes = "A2"
    draft = BytesIO()
    book.save(draft)
    _repack(draft, path)


def _repack(draft: BytesIO, path: Path) -> None:
    """Copy a workbook with its times, inside and on the parts, set to fixed ones."""
    with ZipFile(draft) as source, ZipFile(path, "w", ZIP_DEFLATED, compresslevel=9) as target:
        for name in sorted(source.namelist(), key=lambda name: (name != "[Content_Types].xml", name)):
            part = ZipInfo(name, date_time=(2027, 1, 1, 0, 0, 0))
            part.compress_type = ZIP_DEFLATED
            target.writestr(part, _TIMES.sub(rb"\g<1>2027-01-01T00:00:00Z", source.read(name)))


def main(directory: Path) -> None:
    listed = products()
    write(directory / "products.xlsx", "商品", PRODUCT_HEADERS, listed)
    write(directory / "keys.xlsx", "卡密", KEY_HEADERS, list(keys(listed)))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
