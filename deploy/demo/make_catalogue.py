"""Writes the demo catalogue beside itself: products.xlsx (over 200 SKUs) and keys.xlsx (over 5,000 card keys).

    uv run python deploy/demo/make_catalogue.py [directory]

The same workbooks byte for byte at every run: one seed, fixed times. Import products.xlsx first, then keys.xlsx.
All keys are made up (DEMO-XXXX-XXXX-XXXX). The SKU LAST-10 has exactly ten, to see stock run short.
"""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

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
    kind: str = "卡密"
    source: str = "自有卡密"
    tags: str = "自动发货"
    unit: str = "元"
    price: str = "0.97"
    cost: str = "0.93"


GAME_CARDS = (10, 30, 50, 100, 200, 300, 500)
FAMILIES = (
    Family(
        "STEAM-CN",
        "Steam 钱包充值码 国区",
        "游戏/Steam/充值码",
        (25, 50, 100, 150, 200, 300, 500),
        tags="热销,自动发货",
    ),
    Family(
        "PSN-HK",
        "PlayStation 礼品卡 港服",
        "游戏/PlayStation/港服",
        (80, 160, 200, 300, 400, 500, 750),
        unit="港元",
        price="0.91",
        cost="0.88",
    ),
    Family(
        "PSN-US",
        "PlayStation 礼品卡 美服",
        "游戏/PlayStation/美服",
        (10, 20, 25, 50, 75, 100),
        unit="美元",
        price="7.15",
        cost="6.90",
    ),
    Family(
        "XBOX-US",
        "Xbox 礼品卡 美服",
        "游戏/Xbox/美服",
        (5, 10, 15, 25, 50, 100),
        unit="美元",
        price="7.05",
        cost="6.82",
    ),
    Family(
        "XGP",
        "Xbox Game Pass Ultimate",
        "游戏/Xbox/会员",
        (1, 3, 6, 12),
        kind="会员",
        unit="个月",
        price="55",
        cost="49",
    ),
    Family(
        "NSW-HK",
        "Nintendo eShop 点数卡 港服",
        "游戏/Nintendo/港服",
        (100, 200, 250, 300, 500),
        unit="港元",
        price="0.92",
        cost="0.89",
    ),
    Family(
        "NSW-JP",
        "Nintendo eShop 点数卡 日服",
        "游戏/Nintendo/日服",
        (1000, 1500, 3000, 5000, 9000),
        unit="日元",
        price="0.051",
        cost="0.048",
    ),
    Family(
        "QQ-COIN",
        "腾讯 Q 币",
        "游戏/腾讯/Q币",
        (5, 10, 20, 30, 50, 100, 200),
        kind="直充",
        source="供应商",
        tags="热销,直充",
        price="0.98",
        cost="0.96",
    ),
    Family("NETEASE", "网易一卡通", "游戏/网易/一卡通", GAME_CARDS, price="0.96", cost="0.93"),
    Family("PERFECT", "完美一卡通", "游戏/完美世界/一卡通", GAME_CARDS, price="0.94", cost="0.90"),
    Family("SHENGQU", "盛趣一卡通", "游戏/盛趣/一卡通", GAME_CARDS, price="0.95", cost="0.91"),
    Family("JUNWANG", "骏网一卡通", "游戏/骏网/一卡通", GAME_CARDS, price="0.95", cost="0.92"),
    Family("SOHU", "搜狐一卡通", "游戏/搜狐/一卡通", (10, 15, 30, 40, 100), price="0.93", cost="0.88"),
    Family("ROBLOX", "Roblox 礼品卡", "游戏/Roblox/礼品卡", (10, 25, 50, 100), unit="美元", price="7.20", cost="6.95"),
    Family("BATTLENET", "战网充值卡 国服", "游戏/暴雪/战网", (15, 30, 75, 100), price="0.97", cost="0.95"),
    Family(
        "VALORANT",
        "无畏契约 点券",
        "游戏/腾讯/无畏契约",
        (10, 30, 50, 100, 300),
        kind="直充",
        source="供应商",
        tags="直充",
        price="0.96",
        cost="0.93",
    ),
    Family(
        "APPLE-CN",
        "App Store 充值卡 中国",
        "应用商店/Apple/中国",
        (50, 100, 200, 300, 500, 1000),
        tags="热销,自动发货",
        price="0.975",
        cost="0.955",
    ),
    Family(
        "APPLE-US",
        "Apple Gift Card 美区",
        "应用商店/Apple/美区",
        (5, 10, 25, 50, 100),
        unit="美元",
        price="7.10",
        cost="6.88",
    ),
    Family(
        "GPLAY-US",
        "Google Play 礼品卡 美区",
        "应用商店/Google Play/美区",
        (5, 10, 15, 25, 50, 100),
        unit="美元",
        price="7.12",
        cost="6.85",
    ),
    Family(
        "GPLAY-HK",
        "Google Play 礼品卡 港区",
        "应用商店/Google Play/港区",
        (100, 200, 300, 500),
        unit="港元",
        price="0.92",
        cost="0.89",
    ),
    Family(
        "MOBILE",
        "中国移动 话费",
        "话费/移动/快充",
        (10, 20, 30, 50, 100, 200, 300, 500),
        kind="话费",
        source="供应商",
        tags="热销,直充,运营商",
        price="0.985",
        cost="0.975",
    ),
    Family(
        "UNICOM",
        "中国联通 话费",
        "话费/联通/快充",
        (10, 20, 30, 50, 100, 200, 300, 500),
        kind="话费",
        source="供应商",
        tags="直充,运营商",
        price="0.98",
        cost="0.97",
    ),
    Family(
        "TELECOM",
        "中国电信 话费",
        "话费/电信/快充",
        (10, 20, 30, 50, 100, 200, 300, 500),
        kind="话费",
        source="供应商",
        tags="直充,运营商",
        price="0.98",
        cost="0.968",
    ),
    Family(
        "DATA-CM",
        "移动 流量包",
        "话费/移动/流量",
        (1, 3, 5, 10),
        kind="话费",
        source="供应商",
        tags="直充,流量",
        unit="GB",
        price="4.50",
        cost="3.80",
    ),
    Family(
        "IQIYI",
        "爱奇艺 黄金会员",
        "会员/视频/爱奇艺",
        (1, 3, 6, 12),
        kind="会员",
        source="供应商",
        tags="直充,热销",
        unit="个月",
        price="17.80",
        cost="15.20",
    ),
    Family(
        "YOUKU",
        "优酷 会员",
        "会员/视频/优酷",
        (1, 3, 6, 12),
        kind="会员",
        source="供应商",
        tags="直充",
        unit="个月",
        price="13.50",
        cost="11.00",
    ),
    Family(
        "TXVIDEO",
        "腾讯视频 会员",
        "会员/视频/腾讯视频",
        (1, 3, 6, 12),
        kind="会员",
        source="供应商",
        tags="直充,热销",
        unit="个月",
        price="18.60",
        cost="16.10",
    ),
    Family(
        "MANGO",
        "芒果TV 会员",
        "会员/视频/芒果TV",
        (1, 3, 12),
        kind="会员",
        tags="自动发货",
        unit="个月",
        price="14.90",
        cost="11.50",
    ),
    Family(
        "BILI",
        "哔哩哔哩 大会员",
        "会员/视频/哔哩哔哩",
        (1, 3, 12),
        kind="会员",
        unit="个月",
        price="16.80",
        cost="13.90",
    ),
    Family(
        "QQMUSIC",
        "QQ 音乐 豪华绿钻",
        "会员/音乐/QQ音乐",
        (1, 3, 6, 12),
        kind="会员",
        source="供应商",
        tags="直充",
        unit="个月",
        price="11.80",
        cost="9.60",
    ),
    Family(
        "NCM",
        "网易云音乐 黑胶会员",
        "会员/音乐/网易云音乐",
        (1, 3, 6, 12),
        kind="会员",
        unit="个月",
        price="10.90",
        cost="8.80",
    ),
    Family(
        "XIMALAYA",
        "喜马拉雅 会员",
        "会员/听书/喜马拉雅",
        (1, 3, 12),
        kind="会员",
        unit="个月",
        price="12.50",
        cost="9.90",
    ),
    Family(
        "BAIDUPAN",
        "百度网盘 超级会员",
        "会员/网盘/百度网盘",
        (1, 3, 12),
        kind="会员",
        unit="个月",
        price="21.80",
        cost="18.50",
    ),
    Family(
        "WIN",
        "Windows 激活码 版本",
        "软件/Windows/激活码",
        (10, 11),
        kind="激活码",
        tags="软件",
        unit="专业版",
        price="18.50",
        cost="11",
    ),
    Family(
        "OFFICE",
        "Office 激活码 版本",
        "软件/Office/激活码",
        (2019, 2021, 2024),
        kind="激活码",
        tags="软件",
        unit="专业增强版",
        price="0.145",
        cost="0.095",
    ),
    Family(
        "M365",
        "Microsoft 365 个人版",
        "软件/Office/订阅",
        (1, 3, 12),
        kind="激活码",
        tags="软件,订阅",
        unit="个月",
        price="32",
        cost="27",
    ),
    Family(
        "KASPER",
        "卡巴斯基 安全软件",
        "软件/安全/卡巴斯基",
        (1, 2, 3),
        kind="激活码",
        tags="软件",
        unit="年",
        price="88",
        cost="61",
    ),
    Family(
        "JETB",
        "JetBrains 全家桶",
        "软件/开发/JetBrains",
        (1, 3, 12),
        kind="激活码",
        tags="软件,开发",
        unit="个月",
        price="168",
        cost="150",
    ),
    Family(
        "COURSE-PY",
        "Python 入门到实战 课程",
        "课程/编程/Python",
        (1, 2, 3, 4),
        kind="课程",
        tags="课程",
        unit="阶段",
        price="49",
        cost="20",
    ),
    Family(
        "COURSE-EN",
        "雅思备考 课程",
        "课程/语言/雅思",
        (1, 2, 3),
        kind="课程",
        tags="课程",
        unit="期",
        price="129",
        cost="60",
    ),
    Family(
        "COURSE-CPA",
        "注册会计师 精讲 课程",
        "课程/财会/CPA",
        (1, 2, 3, 4, 5, 6),
        kind="课程",
        tags="课程",
        unit="科",
        price="99",
        cost="45",
    ),
    Family(
        "POWER",
        "国家电网 电费代缴",
        "生活缴费/电费/国家电网",
        (50, 100, 200, 300, 500),
        kind="生活缴费",
        source="人工",
        tags="人工,缴费",
        price="0.99",
        cost="0.98",
    ),
    Family(
        "WATER",
        "自来水 水费代缴",
        "生活缴费/水费/全国",
        (50, 100, 200),
        kind="生活缴费",
        source="人工",
        tags="人工,缴费",
        price="0.995",
        cost="0.985",
    ),
    Family(
        "GAS",
        "燃气费代缴",
        "生活缴费/燃气/全国",
        (50, 100, 200),
        kind="生活缴费",
        source="人工",
        tags="人工,缴费",
        price="0.995",
        cost="0.985",
    ),
    Family(
        "FUEL",
        "中石化 加油卡充值",
        "生活缴费/加油卡/中石化",
        (100, 200, 500, 1000),
        kind="生活缴费",
        source="供应商",
        tags="直充",
        price="0.985",
        cost="0.975",
    ),
    Family(
        "BOOST",
        "游戏代练 定制服务",
        "定制/代练/段位",
        (1, 3, 5),
        kind="自定义",
        source="人工",
        tags="人工,定制",
        unit="段",
        price="58",
        cost="35",
    ),
)


def _yuan(amount: Decimal) -> str:
    return str(amount.quantize(Decimal("0.01"), ROUND_HALF_UP))


def products() -> list[dict[str, str]]:
    """One dict a product, by header."""
    return [_product(family, face) for family in FAMILIES for face in family.faces] + [_scarce()]


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
    scarce = _product(
        Family("LAST", "限量典藏礼包 最后", "游戏/限量/典藏", (10,), tags="限量", unit="份", price="19.90", cost="12"),
        10,
    )
    return scarce | {"SKU": SCARCE_SKU, "售价": "199.00", "阶梯价": "", "成本": "120.00", "单笔上限": "5", "预警": "3"}


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
