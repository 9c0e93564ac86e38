"""The canonical forms of texts that name something: two texts name the same thing when their forms are equal.

Each kind has one function. It raises NoCanonicalForm for a text without one, and returns its own results unchanged.
Characters are judged by Unicode category and property: invisible ones are removed, surrounding spaces are trimmed,
other spaces and letters of full and half width become ordinary ones. Letters of different alphabets that look alike (a
Latin and a Cyrillic `a`) stay different.

A text that is handed on to people or partners (`card_key`, `target`, `email`) keeps its letters' case and every
character that can be seen. A text that is only compared (`login`, `device`, `target_key`) is folded: NFKC without case.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

import idna

from shared.values import telephones
from shared.values.characters import (
    NoCanonicalForm,
    as_written,
    folded_text,
    legible,
    readable,
)
from shared.values.telephones import phone

__all__ = [
    "NoCanonicalForm",
    "address",
    "card_key",
    "code",
    "device",
    "email",
    "login",
    "mailbox",
    "mentioned",
    "name",
    "network",
    "or_as_is",
    "phone",
    "sku",
    "target",
    "target_key",
    "trait",
]

LONGEST_KEY = 500
LONGEST_TEXT = 200


def card_key(text: str) -> str:
    """A key as it is sealed and given to its buyer: case, inner spaces and every visible character are the shop's.

    Equal keys are found by `blind_index` of this form, which folds by NFKC as well.
    """
    return _limited("key", as_written("key", text), LONGEST_KEY)


def code(text: str, kind: str = "code") -> str:
    """A SKU, a batch, a supplier, a customer's id: such codes are ours, of ASCII, and differ by case."""
    return _limited(kind, legible(kind, unicodedata.normalize("NFKC", as_written(kind, text))), LONGEST_TEXT)


def sku(text: str) -> str:
    return code(text, "SKU")


def name(text: str) -> str:
    """What people know a person, a product or an endpoint by, as it was typed: one line with something to read in it,
    and nothing that turns or hides it. Names nothing by itself: several may be called the same."""
    return readable("name", text, lines=False)


def login(text: str) -> str:
    """What a person signs in with; without case, and several spaces are one. An e-mail address is one in its form."""
    folded = folded_text("login", text)
    return _limited("login", or_as_is(email, folded), LONGEST_TEXT)


def device(text: str) -> str:
    """A device's identifier; without case, since programs write the same UUID in either."""
    return _limited("device", folded_text("device", text), LONGEST_TEXT)


def email(text: str) -> str:
    """An e-mail address: ASCII letters small, the domain in its ASCII form (`xn--…`).

    No mail server in use tells `Bob` from `bob`, so one person would count as two. Other letters of the local part
    keep their case: folding makes `ss` of `ß`, which is somebody else's mailbox.
    """
    local, at, domain = as_written("e-mail", text).rpartition("@")
    if not at or not local or _NO_ATOM.search(local):
        raise NoCanonicalForm("e-mail", "is not of the form name@domain")
    if len(local.encode()) > LONGEST_LOCAL:
        raise NoCanonicalForm("e-mail", f"has more than {LONGEST_LOCAL} octets before the @")
    return _limited("e-mail", f"{_small(local)}@{_domain(domain)}", LONGEST_TEXT)


def mailbox(text: str) -> str:
    """The form by which mail is counted, and only that: an e-mail address without the tag that its owner may add
    (`bob+shop@…`), and at Google, to whom dots in it mean nothing, without these."""
    local, _, domain = email(text).rpartition("@")
    local = local.partition("+")[0] or local
    return f"{local.replace('.', '')}@gmail.com" if domain in _GOOGLE else f"{local}@{domain}"


def target(text: str) -> str:
    """The account or number that a purchase is for, as its supplier gets it.

    Accounts keep their case and their characters, since games tell `Abc` from `abc`. A mobile number of mainland China
    becomes its eleven digits, another number that is written with `+` becomes E.164. What is only digits and is not of
    eleven stays, since an account may begin with 86 or 0.
    """
    written = _limited("target", as_written("target", text), LONGEST_TEXT)
    folded = _limited(
        "target", folded_text("target", written), LONGEST_TEXT
    )  # what can't be compared is not bought for
    if _QUAD.fullmatch(folded) or not telephones.is_certain(folded):
        return written
    try:
        return telephones.dialled(folded)
    except NoCanonicalForm:
        return written


def target_key(text: str) -> str:
    """The form by which targets are compared: a telephone number of any spelling as `target` writes it, an e-mail
    address's canonical form, any other number by its digits, any other account without case."""
    folded = _limited("target", folded_text("target", text), LONGEST_TEXT)
    if not _QUAD.fullmatch(folded):
        for kind in (telephones.dialled, email, _mail_within, telephones.mobile_within, telephones.digits_alone):
            try:
                return kind(folded)
            except NoCanonicalForm:
                continue
    return folded


def mentioned(text: str) -> tuple[str, ...]:
    """The telephone numbers and e-mail addresses that can be read in a target that is not just one of them, each once,
    as `target_key` writes them."""
    try:
        written = as_written("target", text)
        folded = folded_text("target", text)
    except NoCanonicalForm:
        return ()
    if written.isascii() and "@" not in written and sum(map(str.isdigit, written)) < telephones.FEWEST_DIGITS:
        return ()
    if _MAIL.fullmatch(folded) or _is_dialled(folded):
        return ()
    found = (*telephones.numbers_within(written), *telephones.numbers_within(folded), *_mails_within(folded))
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=4_096)
def address(text: str) -> str:
    """A network address as RFC 5952 writes it; an IPv4 address written as IPv6 (`::ffff:1.2.3.4`) is the IPv4 address.

    Brackets, a port and a zone (`fe80::1%eth0`) are left out.
    """
    return str(_address(_ascii("address", text)))


def network(text: str) -> str:
    """The network by which addresses are counted and listed: an IPv4 address, or the /64 of an IPv6 address, since a
    user of a /64 has all its addresses. A /64 and an IPv4 /32 are accepted too, no other prefix."""
    written = _ascii("address", text)
    if "/" in written:
        try:
            parsed = ip_network(written, strict=False)
        except ValueError:
            raise NoCanonicalForm("address", "is not a network address") from None
        if parsed.prefixlen not in (parsed.max_prefixlen, 64):
            raise NoCanonicalForm("address", "must be one address, or a /64 of IPv6")
        written = str(parsed.network_address)
    found = _address(written)
    return str(found) if isinstance(found, IPv4Address) else str(IPv6Network((found, 64), strict=False))


def trait(dimension: str, value: str) -> str:
    """The form by which orders are counted and listed in a dimension of risk. Raises KeyError for an unknown
    dimension."""
    return _TRAITS[dimension](value)


_TRAITS: Mapping[str, Callable[[str], str]] = {"ip": network, "device": device, "customer": code, "target": target_key}


def or_as_is(form: Callable[[str], str], text: str) -> str:
    """The canonical form, or the text itself where it has none: for what was stored before such texts were refused."""
    try:
        return form(text)
    except NoCanonicalForm:
        return text


_QUAD = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}")
_NO_ATOM = re.compile(r'[\s@<>()\[\],;:\\"]|^\.|\.\.|\.$')
# An address as most are written, and as far as its parts may reach.
_MAIL, *_EACH_MAIL = (
    re.compile(r"[a-z0-9._+-]+@[a-z0-9.-]+\.[a-z]{2,}"),
    re.compile(r"(?<![a-z0-9._+-])([a-z0-9._+-]+)@([a-z0-9.-]+)"),
    re.compile(r'(?<![^\s@<>()\[\],;:\\"])([^\s@<>()\[\],;:\\"]+)@(?=([^\s@<>()\[\],;:\\"]+))'),
)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_GOOGLE = ("gmail.com", "googlemail.com")
LONGEST_LOCAL = 64  # octets, RFC 5321


def _mail_within(folded: str) -> str:
    """The e-mail address in `mailto:a@b.com`, `Bob <a@b.com>` or `a @ b.com`."""
    inner = re.search(r"<([^<>]*@[^<>]*)>", folded)
    bare = re.sub(r"^[^@:]*:", "", inner[1] if inner else folded).strip(" \"'<>()[],;")
    found = email(re.sub(r"\"| *([@.]) *", r"\1", bare.partition("?")[0]))
    if "." not in found.rpartition("@")[2]:
        raise NoCanonicalForm("e-mail", "is not of the form name@domain")
    return found


def _is_dialled(folded: str) -> bool:
    try:
        telephones.dialled(folded)
    except NoCanonicalForm:
        return False
    return True


def _mails_within(folded: str) -> Iterator[str]:
    """Every e-mail address in a text, also with spaces around its signs."""
    for text in (folded, re.sub(r"\"| *([@.]) *", r"\1", folded)):
        for local, domain in (found.groups() for each in _EACH_MAIL for found in each.finditer(text)):
            try:
                yield _mail_within(f"{local.strip('.')}@{domain.strip('.-')}")
            except NoCanonicalForm:
                continue


def _address(written: str) -> IPv4Address | IPv6Address:
    bare = written
    if port := re.fullmatch(r"\[([^\]]*)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}", written):
        bare = port[1] or port[2] or ""
    try:
        found = ip_address(bare.partition("%")[0])
    except ValueError:
        raise NoCanonicalForm("address", "is not a network address") from None
    return (isinstance(found, IPv6Address) and found.ipv4_mapped) or found


def _ascii(kind: str, text: str) -> str:
    return unicodedata.normalize("NFKC", as_written(kind, text))


def _small(text: str) -> str:
    """ASCII letters in lower case, all others as they are."""
    return "".join(char.lower() if char.isascii() else char for char in text)


def _domain(text: str) -> str:
    labels = re.split("[.\u3002]", text.removesuffix("."))
    domain = ".".join(map(_label, labels))
    if len(domain) > 253:
        raise NoCanonicalForm("e-mail", "has a domain that is too long")
    if not any(map(str.isalpha, labels[-1])):
        raise NoCanonicalForm("e-mail", "has a domain that can't be one")
    return domain


def _label(text: str) -> str:
    """A part of a domain in ASCII, as IDNA 2008 writes it: `ß` and `ς` are letters of their own there, which the
    standard library's codec of 2003 turns into others."""
    folded = unicodedata.normalize("NFKC", "".join(char if char in "ßς" else char.casefold() for char in text))
    written = folded
    if not folded.isascii() or folded.startswith("xn--"):
        try:
            written = idna.alabel(idna.ulabel(folded)).decode()
        except idna.IDNAError:
            written = ""
    if (folded.isascii() and written != folded) or not _LABEL.fullmatch(written):
        raise NoCanonicalForm("e-mail", "has a domain that can't be one")
    return written


def _limited(kind: str, text: str, longest: int) -> str:
    if len(text) > longest:
        raise NoCanonicalForm(kind, f"is longer than {longest} characters")
    return text
