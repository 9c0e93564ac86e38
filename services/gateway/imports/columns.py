"""Matches the columns of a table to fields, by Chinese or English headers or by the caller's mapping."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.gateway.imports.model import BadFile, SheetRow, Value, is_blank, plain_header


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a row: its name, its headers (the first is that of the template), and a note for people."""

    name: str
    headers: tuple[str, ...]
    note: str
    required: bool = False


PRODUCT_FIELDS = (
    Field("sku", ("SKU", "商品编码", "商品编号", "货号", "product code"), "Letters, digits and . _ : / # @ + -", True),
    Field("name", ("名称", "商品名称", "name", "product name", "title"), "Up to 200 characters", True),
    Field(
        "price",
        ("售价", "价格", "单价", "零售价", "price", "retail price"),
        "As its currency is written: 48.50",
        True,
    ),
    Field("kind", ("类型", "商品类型", "kind", "type"), "卡密 直充 激活码 会员 课程 生活缴费 自定义"),
    Field("source", ("来源", "货源", "source"), "自有卡密, 供应商 or 人工; keys, supplier or manual"),
    Field("face_value", ("面值", "face value", "denomination"), "As the price"),
    Field("cost", ("成本", "成本价", "进价", "cost"), "As the price"),
    Field("currency", ("币种", "货币", "currency"), "ISO 4217; CNY when empty, for products priced in CNY"),
    Field("category", ("分类", "类目", "category"), "Levels from the top: 游戏/Steam/充值卡"),
    Field("tags", ("标签", "tags", "tag"), "Separated by commas"),
    Field("suppliers", ("供应商", "suppliers", "supplier"), "Names in order of preference, separated by commas"),
    Field("tiers", ("阶梯价", "批发价", "tiers", "wholesale"), "From quantity:price apiece; 10:47.00;50:46.00"),
    Field(
        "per_order_limit",
        ("单笔上限", "限购", "per order limit", "order limit"),
        "Pieces; 2000 when a new product has none",
    ),
    Field(
        "low_stock_threshold",
        ("预警", "库存预警", "low stock", "low stock threshold"),
        "Pieces; 0 when a new product has none",
    ),
    Field(
        "on_sale", ("上架", "是否上架", "on sale"), "是/否, yes/no, true/false, 1/0; yes when a new product has none"
    ),
)

KEY_FIELDS = (
    Field("sku", ("SKU", "商品编码", "商品编号", "货号", "product code"), "Of a listed product", True),
    Field("key", ("卡密", "卡号密码", "激活码", "key", "card key", "code"), "As text; may not begin with = or @", True),
    Field("batch", ("批次", "批次号", "batch", "batch id"), "Letters, digits and . _ : / # @ + -"),
    Field("supplier", ("供应商", "supplier"), "Its name"),
    Field("cost", ("成本", "成本价", "进价", "cost"), "Apiece, as its currency is written"),
    Field("currency", ("币种", "货币", "currency"), "ISO 4217, CNY when empty"),
    Field("expires", ("到期日", "有效期", "expires", "expires on", "expiry"), "2027-12-31, the last good day"),
)

_REMARK = re.compile(r"\([^()]*\)$")
_JOINERS = re.compile(r"[\s_\-*:]+")


@dataclass(frozen=True, slots=True)
class Columns:
    """The headers by field, and the headers that belong to no field."""

    headers: Mapping[str, str]
    ignored: tuple[str, ...] = ()

    def of(self, row: SheetRow) -> dict[str, Value]:
        """The row's values by field, without the empty ones."""
        return {field: value for field, header in self.headers.items() if not is_blank(value := row.cells[header])}

    def field(self, header: str) -> str:
        """The field of a header; the header itself if it belongs to none."""
        return next((field for field, own in self.headers.items() if own == header), header)


def match(
    headers: Sequence[str],
    fields: Sequence[Field],
    mapping: Mapping[str, str] | None = None,
    hidden: Sequence[str] = (),
) -> Columns:
    """Find the columns of the fields. `mapping` (header by field name) goes before the known names.

    Raises BadFile when a required field has no column, two columns match one field, the mapping names an unknown field
    or column, or a column is hidden, because nobody has seen what would be imported.
    """
    chosen = dict(_explicit(headers, fields, mapping or {}))
    for field in fields:
        if field.name in chosen:
            continue
        names = {_plain(name) for name in (field.name, *field.headers)}
        found = [header for header in headers if header not in chosen.values() and _plain(header) in names]
        if len(found) > 1:
            raise BadFile("ambiguous-column", f"More than one column is named like {field.headers[0]} ({field.name}).")
        if found:
            chosen[field.name] = found[0]
    missing = [f"{field.headers[0]} ({field.name})" for field in fields if field.required and field.name not in chosen]
    if missing:
        raise BadFile("missing-column", f"The table lacks {', '.join(missing)}.")
    unseen = [f"{field.headers[0]} ({field.name})" for field in fields if chosen.get(field.name) in hidden]
    if unseen:
        raise BadFile("hidden-column", f"Columns are hidden: {', '.join(unseen)}. Show them, or delete them.")
    return Columns(chosen, tuple(header for header in headers if header not in chosen.values()))


def _explicit(headers: Sequence[str], fields: Sequence[Field], mapping: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    known = {field.name for field in fields}
    if len(set(mapping.values())) != len(mapping):
        raise BadFile("bad-mapping", "The mapping gives one column to two fields.")
    for name, named in mapping.items():
        header = plain_header(named)
        if name not in known:
            raise BadFile("bad-mapping", f"The mapping names an unknown field; known are {', '.join(sorted(known))}.")
        if header not in headers:
            raise BadFile("bad-mapping", f"The mapping's column for {name} is not in the table.")
        yield name, header


def is_known(header: str, mapping: Mapping[str, str] | None = None) -> bool:
    """Whether a field of products or keys has this header, or the mapping names it."""
    named = (plain_header(header) for header in (mapping or {}).values())
    return _plain(header) in _KNOWN or plain_header(header) in named


def _plain(header: str) -> str:
    """A header without case, width, spaces and a remark in brackets, such as the unit."""
    text = unicodedata.normalize("NFKC", header).casefold().strip()
    return _JOINERS.sub("", _REMARK.sub("", text))


_KNOWN = frozenset(_plain(name) for field in (*PRODUCT_FIELDS, *KEY_FIELDS) for name in (field.name, *field.headers))
