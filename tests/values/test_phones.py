"""Telephone numbers, and targets that are compared as such."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.values import identities
from shared.values.identities import NoCanonicalForm
from tests.values.builders import mobiles, wide


@pytest.mark.parametrize("spelled", ["10086", "1 00 86", "1-0086", "\uff110086", "\u0661\u0660\u0660\u0668\u0666"])
def test_a_number_that_is_no_telephone_number_is_compared_by_its_digits(spelled: str) -> None:
    assert identities.target_key(spelled) == "10086"


@given(mobile=mobiles)
def test_a_mainland_mobile_number_is_one_in_every_spelling(mobile: str) -> None:
    grouped = f"{mobile[:3]}-{mobile[3:7]}-{mobile[7:]}"
    arabic = "".join(chr(0x0660 + int(digit)) for digit in mobile)
    spellings = [mobile, f" {mobile}\u3000", grouped, grouped.replace("-", " "), grouped.replace("-", "\u2013"), arabic]
    spellings += [
        f"+86{mobile}",
        f"0086 {mobile}",
        f"(+86){grouped}",
        f"+86 (0) {mobile}",
        f"86{mobile}",
        wide(mobile),
    ]
    spellings += [f"\u202a+86 {mobile}\u202c", f"tel:+86{mobile}", f"+86 86{mobile}", f"0{mobile}"]

    assert {identities.phone(spelled) for spelled in spellings} == {f"+86{mobile}"}
    assert {identities.target_key(spelled) for spelled in spellings} == {mobile}


NO_PART_OF_A_NUMBER = st.characters(categories=["P", "S", "M", "Zs"], exclude_characters="+.\ufffd").filter(
    lambda char: not any(one.isalnum() or one == "." for one in unicodedata.normalize("NFKC", char.casefold()))
)


@given(mobile=mobiles, data=st.data())
def test_signs_around_and_between_the_digits_are_no_part_of_a_number(mobile: str, data: st.DataObject) -> None:
    signs = data.draw(st.lists(st.text(NO_PART_OF_A_NUMBER, max_size=2), min_size=12, max_size=12))
    spelled = signs[0] + "".join(digit + sign for digit, sign in zip(mobile, signs[1:], strict=True))

    assert identities.target_key(spelled) == mobile


@given(mobile=mobiles)
def test_a_target_that_holds_one_mobile_number_and_little_else_is_compared_as_that_number(mobile: str) -> None:
    chinese = "".join("〇一二三四五六七八九"[int(digit)] for digit in mobile)
    spellings = [
        chinese,
        chinese.replace("〇", "○"),
        f"{mobile}#1",
        f"{mobile}-1",
        f"+86 {mobile}-1",
        f"{mobile}ext",
        f"{mobile} ext 12",
    ]
    spellings += [f"{code}{mobile}" for code in ("++86", "086", "000086", "phone ", "phone: +86 ", "手机")]
    spellings += ["".join(f"{digit}\ufe0f\u20e3" for digit in mobile)]

    assert {identities.target_key(spelled) for spelled in spellings} == {mobile}


@given(account=st.from_regex(r"[a-zA-Z0-9_#.*~'\- ]{0,12}[a-zA-Z][a-zA-Z0-9_#.*~'\-]{0,12}", fullmatch=True))
@example("a1_3")
@example("1a3")
@example("玩家一")
@example("lucky_number13995965533")
@example("139abc95965533")
@example("+1 380 013 8000 ext 5")
@example("player one@server1")
def test_accounts_with_letters_stay_apart(account: str) -> None:
    key = identities.target_key(account)

    if sum(map(str.isdecimal, account)) < 11 or account in ("lucky_number13995965533", "139abc95965533"):
        assert key == " ".join(account.casefold().split())
    else:
        assert key != identities.target_key("13800138000")


@given(mobile=mobiles, other=mobiles)
def test_every_number_that_a_target_holds_is_mentioned(mobile: str, other: str) -> None:
    around = [
        "Ⅰ{}",
        "{}Ⅰ",
        "①{}",
        "一{}",
        "½{}",
        "5:{}",
        "{0},{0}",
        "{0} {0}",
        "{0}{0}",
        "QQ 10086, tel {}",
        "{}abcdefghi",
    ]
    around += ["{}和{}", "{}/{}", "{}{}", "1{}2{}", "a@b.com13{}", "{}, +44 20 7946 0958"]
    for written in around:
        found = identities.mentioned(written.format(*([mobile, other] if written.count("{}") == 2 else [mobile])))
        assert mobile in found
        assert written.count("{}") < 2 or other in found
        assert all(identities.target_key(one) == one for one in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("call +44 (0)20 7946 0958 or 0044-20-7946-0959", {"+442079460958", "+442079460959"}),
        ("1390013900Ⅰ", {"13900139001"}),
        ("一三九○○一三九○○○ 备用", {"13900139000"}),
        ("a@b.com, Bob <c@d.com>", {"a@b.com", "c@d.com"}),
        ("联系a@b.com联系", {"a@b.com"}),
        ("a @ b . com; c@d.com", {"a@b.com", "c@d.com"}),
        ("\u4e66@b\u00fccher.de / a@b.com.", {"\u4e66@xn--bcher-kva.de", "a@b.com"}),
    ],
)
def test_numbers_and_mail_addresses_of_all_kinds_are_mentioned(text: str, expected: set[str]) -> None:
    assert expected <= set(identities.mentioned(text))


@pytest.mark.parametrize(
    "text", ["+1 380 013 8000", "138 0013 8000", "user13900139000@qq.com", "player one@server1", "10086", "a1_3", " "]
)
def test_what_is_one_number_one_address_or_an_account_mentions_nothing_else(text: str) -> None:
    assert identities.mentioned(text) == ()


@given(st.text(st.sampled_from("0123+@a. ,(①)"), max_size=200))
def test_a_target_mentions_less_than_it_has_places_for(text: str) -> None:
    found = identities.mentioned(text)
    assert len(found) <= 4 * len(text)
    assert all(identities.target_key(one) == one for one in found)


@pytest.mark.parametrize("spelled", ["+44_20_7946_0958", "++442079460958", "+44 20 7946 0958,"])
def test_signs_make_no_other_number_of_another_place(spelled: str) -> None:
    assert identities.target_key(spelled) == "+442079460958"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+1 (380) 013-8000", "+13800138000"),
        ("+44 (0)20 7946 0958", "+442079460958"),
        ("0044 20 7946 0958", "+442079460958"),
        ("+86 010 8888 8888", "+861088888888"),
    ],
)
def test_numbers_of_other_places_are_e164(text: str, number: str) -> None:
    assert identities.phone(text) == number


@pytest.mark.parametrize(
    "text", ["110", "10086", "88888888", "+", "+0 13800138000", "+1234567", "+1234567890123456", "138001380001", "a@b"]
)
def test_what_is_no_complete_number_is_no_phone(text: str) -> None:
    with pytest.raises(NoCanonicalForm):
        identities.phone(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" 138 0013 8000 ", "13800138000"),
        ("+86 138-0013-8000", "13800138000"),
        ("+44 20 7946 0958", "+442079460958"),
        ("10086", "10086"),
        ("8613800138000", "8613800138000"),  # an account may be of thirteen digits
        ("013800138000", "013800138000"),
        ("86-13800138000", "13800138000"),
        ("(86)138 0013 8000", "13800138000"),
        ("tel:13800138000", "13800138000"),
        ("+86 13800138000-1", "+86 13800138000-1"),
        ("phone 13800138000", "phone 13800138000"),
        ("0044 20 7946 0958", "0044 20 7946 0958"),
        ("139.100.100.10", "139.100.100.10"),  # a server's address, though its digits are a number's
        ("Player One#1234", "Player One#1234"),
        ("\u2113\u2134\u2113", "\u2113\u2134\u2113"),  # a game's name in letters that NFKC would change
        ("\uff21\uff42\uff43", "Abc"),
    ],
)
def test_a_supplier_gets_the_account_as_it_is_and_a_number_without_separators(text: str, expected: str) -> None:
    assert identities.target(text) == expected
