"""Finds the encoding of a text file: from its first bytes, from its sender, or from its content when that is certain.

UTF-8 is recognized by its form. GB18030, which Chinese Excel writes, is not: bytes of most other encodings decode as
GB18030, and Korean even into common Chinese characters. GB18030 is therefore assumed only if the header row names known
columns in Chinese, or if most characters are common Chinese ones. Otherwise the sender must name the encoding.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import BinaryIO

from services.gateway.imports.model import BadFile

GB18030 = "gb18030"
# Python's name of each encoding, and the codec that reads it. For a national standard this is Microsoft's extension of
# it, because spreadsheet programs write that.
ENCODINGS = {
    "utf-8": "utf-8-sig",
    "utf-8-sig": "utf-8-sig",
    "utf-16": "utf-16",
    "utf-16-le": "utf-16-le",
    "utf-16-be": "utf-16-be",
    "utf-32": "utf-32",
    GB18030: GB18030,
    "gbk": GB18030,
    "gb2312": GB18030,
    "big5": "cp950",
    "cp950": "cp950",
    "big5hkscs": "big5hkscs",
    "shift_jis": "cp932",
    "cp932": "cp932",
    "euc_jp": "euc_jp",
    "euc_kr": "cp949",
    "cp949": "cp949",
    "koi8-r": "koi8-r",
    "koi8-u": "koi8-u",
    "cp866": "cp866",
    "cp874": "cp874",
    **{f"cp125{number}": f"cp125{number}" for number in range(9)},
    **{f"iso8859-{number}": f"iso8859-{number}" for number in (1, 2, 5, 7, 9, 15)},
}
_SHOWN = "utf-8, utf-16, gb18030, big5, shift_jis, euc-jp, euc-kr, windows-1250 to 1258, koi8-r, iso-8859-1"
ADVICE = "name it with `encoding`, or save the file as UTF-8 (CSV UTF-8) or as .xlsx"
# The longer ones first: UTF-32's mark begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
WIDE = frozenset({"utf-16", "utf-16-le", "utf-16-be", "utf-32"})
_CHUNK_BYTES = 1 << 20
_RARE_PERCENT = 20
_COMMON_PERCENT, _DIFFERENT_PERCENT, _KANA_PERCENT, _ENOUGH = 70, 60, 5, 12
_BY_CHANCE = 8
# Letters of Africa, phonetics, marks alone, Syriac, Thaana, N'Ko; none of Vietnamese, Romanian or pinyin.
_RARE_LETTER = re.compile("[\u0180-\u019f\u01a2-\u01ae\u01b1-\u01cc\u01dd-\u0217\u021c-\u036f\u0700-\u07ff]")
_BETWEEN_CELLS = re.compile(r'[,;\t|"\r\n]+')
# The characters that three quarters of any Chinese text are made of, and those of goods, cards and prices.
_COMMON = frozenset(
    "的一是不了在人有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多"
    "天而能好都然没日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长知民样现分将外但"
    "身些与高意进把法此实回二理美点月明其种声全工己话儿者向情部正名定女问力机给等几很业最间新什打便位因重被走电四"
    "第门相次东政海口使教西再平真听世气信北少关并内加化由却代军产入先山五太水万市眼体别处总才场师书比住员九笑性通"
    "目华报立马命张活难神数件安表原车白应路期叫死常提感金何更反合放做系计或司利受光王果亲界及今京务制解各任至清物"
    "台象记边共风战干接它许八特觉望直服毛林题建南度统色字请交爱让认算论百吃义科怎元社术结六功指思非流每青管夫连远"
    "资队跟带花快条院变联言权往展该领传近留红治决周保达办运武半候七必城父强步完革深区即求品士转量空甚众技轻程告江"
    "语英基派满式李息写呢识极令黄德收脸钱党倒未持取设始版双历越史商千片容研像找友孩站广改议形委早房音火际则首单据"
    "导影失拿网香似斯专石若兵弟谁校读志飞观争究包组造落视济喜离虽坏兴切曾布照存费克底护"
    "卡密充值游戏会员账号码激购买卖价格库货源供应类型编批次售成本币分标签阶梯限预警架称备注户钻石套餐礼包季度月费年费"
    "腾讯网易微信支付宝京东淘宝爱奇艺优酷视频音乐手机话费移动联通流量加油超享豪华黄金白银精英豆票券兑换充联系客服自动"
    "直拥官方正版国际服港日美韩台欧元角区代理折扣满减送积分点数余额密钥序列软件课程教育生活缴水电燃气定义热销推荐新品"
)


def read_encoding(file: BinaryIO, named: str | None, is_known_header: Callable[[str], bool]) -> str:
    """The codec to read a text file with. `named` is the encoding that its sender names. Raises BadFile.

    `is_known_header` says whether a cell of the header row belongs to a field.
    """
    file.seek(0)
    head = file.read(4)
    marked = next((codec for mark, codec in _MARKS if head.startswith(mark)), None)
    if named is not None:
        return _as_named(file, named, marked)
    if marked is not None:
        if not _decodes(file, marked):
            raise BadFile("unknown-encoding", f"The file is not what its first bytes say: {ADVICE}.")
        return marked
    _refuse_no_text(file)
    if (characters := _characters(file)) is not None:
        if _are_strange(characters):
            raise BadFile("unknown-encoding", f"The file may be UTF-8, or another encoding: {ADVICE}.")
        return "utf-8"
    if _decodes(file, GB18030) and _is_chinese(file, is_known_header):
        return GB18030
    raise BadFile("unknown-encoding", f"The file is neither UTF-8 nor, with certainty, GB18030: {ADVICE}.")


def codec_of(name: str) -> str:
    """The codec that reads an encoding, however its name is spelled. Raises BadFile."""
    try:
        return ENCODINGS[codecs.lookup(name.strip()).name]
    except (LookupError, ValueError):
        raise BadFile("encoding-not-known", f"It is not an encoding that we read: {_SHOWN}.") from None


def _as_named(file: BinaryIO, named: str, marked: str | None) -> str:
    codec = codec_of(named)
    if marked is not None and marked.removesuffix("-sig")[:6] != codec.removesuffix("-sig")[:6]:
        raise BadFile("unknown-encoding", f"The file's first bytes say another encoding than {named}.")
    if codec not in WIDE:
        _refuse_no_text(file)
    if not _decodes(file, codec):
        raise BadFile("unknown-encoding", f"The file is not text in {named}.")
    return codec


def _refuse_no_text(file: BinaryIO) -> None:
    """Refuse zero bytes (UTF-16 without its mark, or no text) and escapes (ISO 2022)."""
    file.seek(0)
    while chunk := file.read(_CHUNK_BYTES):
        if b"\0" in chunk or b"\x1b" in chunk:
            raise BadFile("not-text", f"The file is not text in UTF-8 or GBK: {ADVICE}.")


def _decodes(file: BinaryIO, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    file.seek(0)
    try:
        while chunk := file.read(_CHUNK_BYTES):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeError:  # also where a mark is missing
        return False
    return True


def _characters(file: BinaryIO) -> set[str] | None:
    """The different characters of a text in UTF-8; None where it is not in UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    found = set[str]()
    file.seek(0)
    try:
        while chunk := file.read(_CHUNK_BYTES):
            found.update(decoder.decode(chunk))
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return None
    return found


def _are_strange(characters: Iterable[str]) -> bool:
    """Whether these may be two or three ideographs of a national encoding that decode as UTF-8 by chance (任天堂 in
    EUC-JP): a few characters of two bytes that are a character in GB 2312 as well, with rare letters among them."""
    wide = {char for char in characters if not char.isascii()}
    if not 0 < len(wide) <= _BY_CHANCE or max(wide) >= "\u0800":
        return False
    pairs = (char.encode() for char in wide)
    return all(min(pair) >= 0xA1 for pair in pairs) and any(map(_RARE_LETTER.fullmatch, wide))


def _is_chinese(file: BinaryIO, is_known_header: Callable[[str], bool]) -> bool:
    """Whether a text that decodes as GB18030 is one with certainty.

    Nearly all characters that are not ASCII must be in GB 2312. In Big5, Shift-JIS and Latin-1 half or more are not,
    and some are for private use. In Korean and Cyrillic all may be, so the header row or common characters must confirm
    it."""
    decoder = codecs.getincrementaldecoder(GB18030)()
    found, has_header = Counter[str](), False
    file.seek(0)
    for place, chunk in enumerate(iter(lambda: file.read(_CHUNK_BYTES), b"")):
        text = decoder.decode(chunk)
        has_header = has_header or (place == 0 and _has_known_header(text, is_known_header))
        found.update(text)
    wide = {char: count for char, count in found.items() if not char.isascii()}
    if any("\ue000" <= char <= "\uf8ff" or char == "\ufffd" for char in wide):
        return False
    rare = sum(count for char, count in wide.items() if not _is_in_gb2312(char))
    if rare * 100 > _RARE_PERCENT * sum(wide.values()):
        return False
    return has_header or _is_common(wide)


def _is_common(counts: Mapping[str, int]) -> bool:
    """Whether there are many ideographs, and most are common ones. That must hold for all of them and for the distinct
    ones, because a few words of another language may repeat. Kana mean Japanese: its EUC has them where GB 2312
    does."""
    ideographs = {char: count for char, count in counts.items() if "\u4e00" <= char <= "\u9fff"}
    common = {char: count for char, count in ideographs.items() if char in _COMMON}
    kana = sum(count for char, count in counts.items() if "\u3040" <= char <= "\u30ff")
    return (
        len(ideographs) >= _ENOUGH
        and kana * 100 <= _KANA_PERCENT * sum(counts.values())
        and sum(common.values()) * 100 >= _COMMON_PERCENT * sum(ideographs.values())
        and len(common) * 100 >= _DIFFERENT_PERCENT * len(ideographs)
    )


def _is_in_gb2312(char: str) -> bool:
    try:
        char.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def _has_known_header(start: str, is_known_header: Callable[[str], bool]) -> bool:
    first = next((line for line in start.lstrip().splitlines() if line.strip() and not line.startswith("sep=")), "")
    cells = (cell.strip() for cell in _BETWEEN_CELLS.split(first))
    return any(is_known_header(cell) for cell in cells if cell and not cell.isascii())
