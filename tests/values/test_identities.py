"""Canonical forms: given a text, when it is asked for, then one form for each thing that is named."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.values import identities
from shared.values.characters import readable
from shared.values.identities import NoCanonicalForm, or_as_is
from tests.values.builders import wide

Form = Callable[[str], str]
FORMS: tuple[Form, ...] = (
    identities.card_key,
    identities.sku,
    identities.login,
    identities.device,
    identities.email,
    identities.phone,
    identities.target,
    identities.target_key,
    identities.address,
    identities.network,
)
KEPT_TEXTS: tuple[Form, ...] = (identities.card_key, identities.target)
FOLDED_TEXTS: tuple[Form, ...] = (identities.login, identities.device, identities.target_key)
OF_ANY_TEXT = (*KEPT_TEXTS, *FOLDED_TEXTS)

UNSEEN = (
    "\u00ad\u034f\u115f\u1160\u17b4\u180b\u180e\u180f\u200b\u200c\u200d\u2060\u2064\u2065\u206a\u2800\u3164\ufe0f\ufeff"
    "\uffa0\ufff0\U0001d159\U0001d173\U000e0001\U000e0020\U000e007f\U000e0100"
)
SPACES = "\u0009\u000a\u000d\u0020\u0085\u00a0\u1680\u2000\u2009\u2028\u202f\u205f\u3000"
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
VISIBLE = [chr(point) for point in range(0x21, 0x7F)]

texts = st.one_of(
    st.text(max_size=30),
    st.text(
        st.sampled_from(
            [*"aZ0é1ßİſ@.+-:/() \u0301\u0130\u1e9e\u03c3\ufb03\u2460\uff21\u30fb\uff76\uff9e", *UNSEEN, *SPACES]
        )
    ),
    st.text(st.sampled_from("0123456789+-() ."), max_size=20),
)
plain = st.text(st.sampled_from(VISIBLE), min_size=1, max_size=30)


def _formed(form: Form, text: str) -> str | None:
    try:
        return form(text)
    except NoCanonicalForm:
        return None


@pytest.mark.parametrize("form", FORMS)
@given(text=texts)
@example(text="\u00b4")
@example(text="a\u034f\u0301")
@example(text="\uff76\uff9e")
@example(text="\u1e9e\u0345\u03a3")
@example(text="\u01b0\u0345\u0315")
def test_a_canonical_form_is_its_own_form(form: Form, text: str) -> None:
    if (once := _formed(form, text)) is not None:
        assert form(once) == once


def test_every_character_that_normalising_or_folding_changes_has_a_settled_form_or_none() -> None:
    changed = [
        char
        for char in map(chr, range(sys.maxunicode + 1))
        if unicodedata.category(char) == "Mn" or unicodedata.normalize("NFKC", char.casefold()) != char
    ]
    for text in [*changed, *(f"a{char}b" for char in changed)]:
        for form in (identities.card_key, identities.login):
            if (once := _formed(form, text)) is not None:
                assert form(once) == once, hex(ord(text[len(text) // 2]))
                assert once == once.strip(), hex(ord(text[len(text) // 2]))


@pytest.mark.parametrize("form", OF_ANY_TEXT)
@given(text=plain, unseen=st.sampled_from(UNSEEN), data=st.data())
def test_what_nobody_sees_names_nothing_else(form: Form, text: str, unseen: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(text)))

    assert form(text[:place] + unseen + text[place:]) == form(text)


@pytest.mark.parametrize("form", OF_ANY_TEXT)
@given(text=plain, before=st.text(st.sampled_from(SPACES + BIDI)), after=st.text(st.sampled_from(SPACES + BIDI)))
def test_spaces_and_marks_of_direction_around_a_text_are_trimmed(
    form: Form, text: str, before: str, after: str
) -> None:
    assert form(before + text + after) == form(text)


@pytest.mark.parametrize("form", [*OF_ANY_TEXT, identities.sku])
@given(text=plain)
def test_width_makes_no_other_name(form: Form, text: str) -> None:
    assert form(wide(text)) == form(text)


@pytest.mark.parametrize("form", OF_ANY_TEXT)
@given(text=st.text(st.sampled_from("aeiouéöñAE"), min_size=1))
def test_composed_and_decomposed_letters_are_the_same(form: Form, text: str) -> None:
    assert form(unicodedata.normalize("NFD", text)) == form(unicodedata.normalize("NFC", text))


@pytest.mark.parametrize("form", FOLDED_TEXTS)
@given(text=plain)
def test_what_is_only_compared_has_no_case(form: Form, text: str) -> None:
    assert form(text.upper()) == form(text.lower()) == form(text)


@given(text=plain)
def test_what_is_handed_on_keeps_its_case(text: str) -> None:
    assert identities.card_key(text) == text


@given(text=texts)
def test_a_target_is_compared_alike_before_and_after_it_is_written_canonically(text: str) -> None:
    if (written := _formed(identities.target, text)) is not None and len(written) < 100:
        assert _formed(identities.target_key, written) == _formed(identities.target_key, text)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "blank",
    ["", " ", "\u3000\u00a0", "\u200b\ufeff", "\u3164", "\u2800 ", "\u202e\u202c", "\n", "\u0301\u0302\u0303"],
)
def test_a_blank_text_names_nothing(form: Form, blank: str) -> None:
    with pytest.raises(NoCanonicalForm):
        form(blank)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "inside", ["\ud800", "\u202e", "\u200f", "\u2066", "\n", "\u2028", "\x00", "\x7f", "\ue000", "\uffff"]
)
def test_a_text_with_what_can_not_stand_in_a_name_is_refused(form: Form, inside: str) -> None:
    with pytest.raises(NoCanonicalForm) as refused:
        form(f"1380013{inside}8000@b.com")

    assert "1380013" not in str(refused.value)


@pytest.mark.parametrize("form", FORMS)
def test_a_text_that_was_damaged_by_a_wrong_encoding_is_refused(form: Form) -> None:
    with pytest.raises(NoCanonicalForm):
        form("1380013\ufffd8000@b.com")


def test_what_is_too_long_after_folding_is_refused() -> None:
    ligature = "\ufdfa"  # one character that folds to eighteen

    with pytest.raises(NoCanonicalForm, match="longer than 200"):
        identities.login(ligature * 12)
    with pytest.raises(NoCanonicalForm, match="longer than 500"):
        identities.card_key("x" * 501)


@pytest.mark.parametrize("text", ["\u2460\u00b2\u2122", "pass\u00b2word", "A  B", "\u8d26\u53f7 Abc"])
def test_a_key_keeps_every_character_that_is_seen(text: str) -> None:
    assert identities.card_key(f" {text}\u200b") == text


def test_a_target_that_can_not_be_compared_is_refused() -> None:
    with pytest.raises(NoCanonicalForm, match="longer than 200"):
        identities.target("a" * 199 + "\ufdfa")


def test_letters_that_only_look_alike_name_different_things() -> None:
    assert identities.login("paypal") != identities.login("p\u0430ypal")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Stra\u00dfe", "STRASSE"),
        ("\u03a3\u03a3\u03c2", "\u03c3\u03c3\u03c3"),
        ("a  b", "A\u00a0B"),
        ("\ufb01x", "FIX"),
    ],
)
def test_logins_that_differ_in_case_and_spaces_are_one(one: str, other: str) -> None:
    assert identities.login(one) == identities.login(other)


def test_turkish_letters_stay_apart_where_unicode_keeps_them_apart() -> None:
    assert len({identities.login("I"), identities.login("\u0130"), identities.login("\u0131")}) == 3


@pytest.mark.parametrize("spelled", ["u@example.com.", "u@example\u3002com", "U@EXAMPLE.com", "u\ufe6bexample.com"])
def test_a_login_that_is_a_mail_address_is_one_in_every_form_of_the_address(spelled: str) -> None:
    assert identities.login(spelled) == "u@example.com"


@given(code=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:/#@+-]{0,79}", fullmatch=True))
def test_every_code_that_could_be_stored_is_canonical(code: str) -> None:
    assert identities.sku(code) == code


def test_what_was_stored_without_a_form_is_compared_as_it_is() -> None:
    assert or_as_is(identities.network, "unknown") == "unknown"
    assert or_as_is(identities.network, "2001:DB8::1") == "2001:db8::/64"


@pytest.mark.parametrize(
    "text",
    ["", " ", "\u3000\u00a0", "\u200b\ufeff", "\n\t", "\u3164", "\u0301", "\x07", "a\x1b[2J", "\u202e", "a\u202eb"],
)
def test_a_text_with_nothing_to_read_or_that_hides_what_it_says_is_refused(text: str) -> None:
    with pytest.raises(NoCanonicalForm):
        readable("text", text)


@pytest.mark.parametrize(
    "text", ["   ", "\u200b", "\u0301", "Li\u202e", "\u2067Li", "a\nb", "a\tb", "a\u2028b", "a\x07"]
)
def test_a_name_is_one_line_that_shows_what_it_says(text: str) -> None:
    with pytest.raises(NoCanonicalForm):
        identities.name(text)


@pytest.mark.parametrize(
    "text", ["Li", " L  i ", "'n Bier", "\u674e\u3000\u56db", "\U0001f469\u200d\U0001f4bb", "Ne\u0301e"]
)
def test_a_name_is_kept_as_it_was_typed(text: str) -> None:
    assert identities.name(text) == text


@given(text=st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters=UNSEEN), min_size=1))
def test_what_people_write_is_kept_as_it_is(text: str) -> None:
    written = f"x{text}\r\n\t\u200d {text}"

    assert readable("text", written) == written
