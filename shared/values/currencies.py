"""Currencies as data: the minor units of ISO 4217, and amounts as people write them. Pure.

All other code has amounts as whole minor units; only this module knows a currency's number of decimals.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_BY_DIGITS: Mapping[int, str] = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW
        CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF
        IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK
        MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP
        SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG
        YER ZAR ZMW ZWG
    """,
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
# The active table (list one). Metals, funds and codes for tests have no minor unit, and nothing is sold for them.
MINOR_UNITS: Mapping[str, int] = {code: digits for digits, codes in _BY_DIGITS.items() for code in codes.split()}
# What people write beside an amount, in capitals. Several currencies share a sign; no other sign is taken for one.
SIGNS: Mapping[str, str] = {
    "¥": "CNY JPY", "￥": "CNY JPY", "元": "CNY TWD HKD", "圆": "CNY", "人民币": "CNY", "RMB": "CNY", "CN¥": "CNY",
    "円": "JPY", "日元": "JPY", "JP¥": "JPY", "$": "USD HKD SGD AUD CAD NZD TWD MXN", "＄": "USD HKD TWD", "US$": "USD",
    "美元": "USD", "HK$": "HKD", "港元": "HKD", "港币": "HKD", "NT$": "TWD", "新台币": "TWD", "S$": "SGD", "A$": "AUD",
    "C$": "CAD", "CA$": "CAD", "NZ$": "NZD", "MX$": "MXN", "€": "EUR", "欧元": "EUR", "£": "GBP", "₩": "KRW",
    "￦": "KRW", "฿": "THB", "₫": "VND", "₱": "PHP", "₹": "INR", "₽": "RUB", "₺": "TRY", "₴": "UAH", "₪": "ILS",
    "₦": "NGN", "₸": "KZT", "R$": "BRL", "S/": "PEN", "S/.": "PEN", "B/.": "PAB", "KR.": "DKK", "Р.": "RUB",
    "РУБ.": "RUB",
}  # fmt: skip
USUAL = ("CNY", "USD", "EUR", "HKD", "JPY")
# Beside an amount of a code that the table does not have (XXX, what a partner made up, what has left the table): how
# many decimals it has would be a guess.
IN_MINOR_UNITS = "(最小单位 minor units)"
MOST_WHOLE_DIGITS = 16

_AMOUNT = re.compile(rf"([+-]?)(\d{{1,{MOST_WHOLE_DIGITS}}})(?:\.(\d+))?", re.ASCII)


class UnknownCurrency(ValueError):
    """A code that is not in the active table of ISO 4217, or has no minor unit there."""


class BadAmount(ValueError):
    """A text that is not one exact amount of the currency. The message does not repeat it."""


def known(code: str) -> str:
    """The code itself. Raises UnknownCurrency."""
    if code not in MINOR_UNITS:
        raise UnknownCurrency("not the code of a currency in ISO 4217, such as CNY")
    return code


def is_called(code: str, unit: str) -> bool:
    """Whether people call this currency so beside an amount: by its code or a sign of it."""
    return unit.upper() == code or code in SIGNS.get(unit.upper(), "").split()


def digits(code: str) -> int:
    """How many decimals an amount has. Raises UnknownCurrency."""
    return MINOR_UNITS[known(code)]


def example(code: str) -> str:
    """An amount as it is written in this currency, to show what is expected."""
    return written(48_500 if digits(code) == 3 else 4_850, code)


def minor(text: str, code: str) -> int:
    """The minor units of a plain decimal such as 48.50, exactly; its sign is kept.

    Decimals beyond those of the currency may only be zeros, and not three in all: where 1.000 has a decimal too many,
    it may as well be a thousand. Raises BadAmount, UnknownCurrency.
    """
    places = digits(code)
    found = _AMOUNT.fullmatch(text)
    if found is None:
        raise BadAmount(f"expected a plain decimal number such as {example(code)}")
    sign, whole, decimals = found[1], found[2], found[3] or ""
    if len(decimals) == 3 and places < 3:
        raise BadAmount(f"three decimals, where {code} has {places}: is the point one between thousands?")
    kept, beyond = decimals[:places], decimals[places:]
    if beyond.strip("0"):
        raise BadAmount(f"{code} has {places or 'no'} decimals, and this has more")
    amount = int(whole + kept.ljust(places, "0"))
    return -amount if sign == "-" else amount


def written(amount: int, code: str) -> str:
    """An amount of minor units as a decimal with all of its places, without the currency: 4850 of CNY is 48.50. Of a
    code that is not in the table they stay minor units."""
    places = MINOR_UNITS.get(code, 0)
    figures = str(abs(amount)).rjust(places + 1, "0")
    sign = "-" if amount < 0 else ""
    return f"{sign}{figures[:-places]}.{figures[-places:]}" if places else f"{sign}{figures}"


def shown(amount: int, code: str) -> str:
    """An amount of minor units as people read it: 48.50 CNY, 500 JPY, 1.500 KWD; 4850 XYZ with IN_MINOR_UNITS."""
    plain = f"{written(amount, code)} {code}"
    return plain if code in MINOR_UNITS else f"{plain} {IN_MINOR_UNITS}"
