"""In which encoding a text file is: what is not certain is refused, and its sender may say."""

from __future__ import annotations

import io
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.imports.columns import is_known
from services.gateway.imports.encodings import codec_of, read_encoding
from services.gateway.imports.model import BadFile
from services.gateway.imports.sheets import read_rows

KOREAN = "상품 게임 카드 충전 서비스 문화상품권 구글 기프트 넥슨 캐시 만원 스팀 지갑 코드 한국 계정 정기 이용권 무료"
RUSSIAN = "Подарочная карта Пополнение счёта Игра Деньги Привет Меню Стим кошелёк Код активации Цена месяц год"
JAPANESE = "ギフトカード 商品名 任天堂 プリペイド 五千円 日本 東京 楽天 音楽 電子 書籍 券 番号 有料 会員 利用 期間"
TAIWANESE = "點數卡 五十元 商品編號 名稱 遊戲 儲值 禮品卡 會員 台灣 專用 一個月 訂閱 帳號 序號 購買 價格 庫存"
CHINESE = "腾讯视频会员月卡 话费充值五十元 游戏点卡 京东礼品卡 爱奇艺黄金会员季度 网易一卡通 加油卡 自动发货"
FOREIGN_EVENTS = {
    "euc_kr": KOREAN,
    "cp949": KOREAN,
    "cp1251": RUSSIAN,
    "koi8_r": RUSSIAN,
    "cp866": RUSSIAN,
    "iso8859_5": RUSSIAN,
    "shift_jis": JAPANESE,
    "euc_jp": JAPANESE,
    "iso2022_jp": JAPANESE,
    "big5": TAIWANESE,
}


def table(words: Sequence[str], luck: Random, header: str = "sku,name,price") -> str:
    rows = luck.choice((1, 2, 3, 5, 10, 50))
    names = (" ".join(luck.choices(words, k=luck.randint(1, 4))) for _ in range(rows))
    return "\n".join((header, *(f"A-{number},{name},5.00" for number, name in enumerate(names)), ""))


def read(content: bytes, declared: str | None = None) -> str:
    """The text, as it is read. Raises BadFile."""
    return content.decode(read_encoding(io.BytesIO(content), declared, is_known))


@pytest.mark.parametrize("encoding", FOREIGN_EVENTS)
@given(luck=st.integers(0, 10**9).map(Random))
def test_what_is_not_chinese_is_refused_and_read_as_its_sender_says(encoding: str, luck: Random) -> None:
    text = table(FOREIGN_EVENTS[encoding].split(), luck)
    content = text.encode(encoding)

    with pytest.raises(BadFile) as refused:
        read(content)

    assert refused.value.code in ("unknown-encoding", "not-text")
    if encoding != "iso2022_jp":
        assert read(content, encoding) == text


@given(luck=st.integers(0, 10**9).map(Random))
def test_chinese_under_headers_of_ours_is_certain(luck: Random) -> None:
    for header in ("SKU,名称,售价", "商品编码;商品名称;价格", '"货号"\t"name"\t"零售价"'):
        text = table(CHINESE.split(), luck, header)
        assert read(text.encode("gbk")) == text


@pytest.mark.parametrize("declared", ["utf-16", "UTF_16", "utf-32"])
@pytest.mark.parametrize("encoding", ["ascii", "utf-16-le", "utf-16-be"])
def test_a_file_without_the_mark_that_its_encoding_begins_with_is_refused(declared: str, encoding: str) -> None:
    with pytest.raises(BadFile):
        read("sku,name,price\nA-1,Card,5.00\n".encode(encoding), declared)


def test_chinese_under_other_headers_is_certain_where_it_is_enough() -> None:
    text = "\n".join(("sku,name,price", *(f"A-{n},{name},5.00" for n, name in enumerate(CHINESE.split()))))

    assert read(text.encode("gb18030")) == text
    with pytest.raises(BadFile, match="unknown-encoding"):
        read("sku,name,price\nA-1,点卡,5.00\n".encode("gbk"))


def test_a_header_that_the_mapping_names_is_certain() -> None:
    content = "编,品,元\nA-1,蜀黍,5.00\n".encode("gbk")

    sheet = read_rows(io.BytesIO(content), "a.csv", mapping={"sku": "编", "name": "品", "price": "元"})
    assert sheet.headers == ("编", "品", "元")
    with pytest.raises(BadFile, match="unknown-encoding"):
        read_rows(io.BytesIO(content), "a.csv")


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("windows-1251", "cp1251"),
        ("CP1251", "cp1251"),
        (" GBK ", "gb18030"),
        ("GB2312", "gb18030"),
        ("Shift-JIS", "cp932"),
        ("sjis", "cp932"),
        ("EUC-KR", "cp949"),
        ("Big5", "cp950"),
        ("latin-1", "iso8859-1"),
        ("UTF-8", "utf-8-sig"),
    ],
)
def test_names_have_many_spellings(name: str, codec: str) -> None:
    assert codec_of(name) == codec


@pytest.mark.parametrize(
    "name", ["", "nonsense", "base64", "rot13", "unicode_escape", "punycode", "utf-7", "a\0b", "идна"]
)
def test_what_is_no_encoding_of_texts_is_refused(name: str) -> None:
    with pytest.raises(BadFile, match="encoding-not-known"):
        codec_of(name)


@pytest.mark.parametrize(
    ("content", "declared"),
    [
        (b"a,b\n\xff\xff,1\n", "utf-8"),
        (b"\xef\xbb\xbfa,b\n", "gbk"),
        (b"\xff\xfea\0", "utf-8"),
        (b"a,\x81\n", "windows-1252"),
        (b"a,\0b\n", "windows-1251"),
    ],
)
def test_a_file_that_is_not_what_its_sender_says_is_refused(content: bytes, declared: str) -> None:
    with pytest.raises(BadFile):
        read(content, declared)


def test_what_its_sender_says_is_not_guessed_again() -> None:
    text = "sku,name\nA-1,меню\n"

    sheet = read_rows(io.BytesIO(text.encode("cp1251")), "a.csv", "windows-1251")
    assert [dict(row.cells) for row in sheet] == [{"sku": "A-1", "name": "меню"}]
    assert sheet.notes == ()
    assert read(text.encode("utf-16"), "utf-16") == text
    with pytest.raises(BadFile, match="encoding-not-needed"):
        read_rows(io.BytesIO(b"PK"), "a.xlsx", "utf-8")


def test_ideographs_that_are_utf_8_by_chance_are_refused() -> None:
    content = "sku,name,price\nA-0,任天堂,5.00\n".encode("euc_jp")

    assert content.decode()  # as letters of Africa
    with pytest.raises(BadFile, match="unknown-encoding"):
        read(content)
    assert read(content, "utf-8") == content.decode()


@pytest.mark.parametrize(
    "name", ["Thẻ game Ơ Ư", "Crédit à l'été", "Подарочная карта", "ș ț", "nǐ hǎo", "כרטיס", "بطاقة", "é"]
)
def test_utf_8_is_read_in_every_language(name: str) -> None:
    text = f"sku,name\nA-1,{name}\n"

    assert read(text.encode()) == text
