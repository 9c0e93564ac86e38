"""Addresses of mail and of the network."""

from __future__ import annotations

import pytest

from shared.values import identities
from shared.values.identities import NoCanonicalForm


@pytest.mark.parametrize(
    "spelled",
    ["mailto:a@b.com", "<a@b.com>", "a@ b.com", "A @b.com", "a@b .com", "Bob <a@b.com>", '"a"@b.com', "a@b.com,"],
)
def test_a_mail_address_is_compared_as_one_in_every_spelling(spelled: str) -> None:
    assert identities.target_key(spelled) == "a@b.com"


@pytest.mark.parametrize("tagged", ["str@example.com", "str+1@example.com", "STR+1+2@example.com."])
def test_mail_is_counted_by_the_mailbox(tagged: str) -> None:
    assert identities.mailbox(tagged) == "str@example.com"


@pytest.mark.parametrize("spelled", ["ab@gmail.com", "a.b@gmail.com", "A.B+shop@googlemail.com", "a.b@GMAIL.com."])
def test_google_has_one_mailbox_with_and_without_dots(spelled: str) -> None:
    assert identities.mailbox(spelled) == "ab@gmail.com"
    assert identities.mailbox("a.b@example.com") == "a.b@example.com"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Bob@EXAMPLE.com", "bob@example.com"),
        (" bob\uff20example.com", "bob@example.com"),
        ("b@B\u00dcCHER.example\u3002com", "b@xn--bcher-kva.example.com"),
        ("b@stra\u00dfe.de", "b@xn--strae-oqa.de"),  # not strasse.de, which is somebody else's
        ("\u00df@b.de.", "\u00df@b.de"),
        ("b@XN--BCHER-KVA.example", "b@xn--bcher-kva.example"),
        ("b@l\u00b7lum.cat", "b@xn--llum-5ha.cat"),
        ("b@xn--mgba3gch31f060k.ir", "b@xn--mgba3gch31f060k.ir"),  # with a joiner where Persian has one
        ("b@r3---sn.example", "b@r3---sn.example"),
    ],
)
def test_mail_goes_to_one_address(text: str, address: str) -> None:
    assert identities.email(text) == address


@pytest.mark.parametrize(
    "text",
    [
        *(
            "bob",
            "@b.com",
            "a@",
            "a b@c.com",
            "a@b@c.com",
            "a@b..com",
            "a@-b.com",
            "a@b c.com",
            "a..b@x.com",
            ".a@x.com",
        ),
        *(
            "a.@x.com",
            "a" * 65 + "@x.com",
            "\u00df" * 33 + "@x.com",
            "a@1.2.3.4",
            "a,b@x.com",
            "1@\u00b72",
            "1@\u00d7.com",
        ),
        *(
            "a@xn--a.de",
            "a@xn--ls8h.la",
            "a@xn--bcher-kva-.de",
            "a@xn--strasse-.de",
            "a@xn--a\u00e9.de",
            "a@a\u05d0.de",
            "a@\u0301a.de",
            "a@a\u00b7b.de",
        ),
    ],
)
def test_what_is_no_mail_address_is_refused(text: str) -> None:
    with pytest.raises(NoCanonicalForm):
        identities.email(text)


@pytest.mark.parametrize(
    ("text", "address", "network"),
    [
        ("1.2.3.4", "1.2.3.4", "1.2.3.4"),
        ("::ffff:1.2.3.4", "1.2.3.4", "1.2.3.4"),
        ("::FFFF:102:304", "1.2.3.4", "1.2.3.4"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1", "2001:db8::/64"),
        ("[2001:db8::1]:443", "2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::ffff:1", "2001:db8::/64"),
        ("1.2.3.4:5678", "1.2.3.4", "1.2.3.4"),
        ("fe80::1%eth0", "fe80::1", "fe80::/64"),
    ],
)
def test_an_address_is_one_in_every_spelling(text: str, address: str, network: str) -> None:
    assert identities.address(text) == address
    assert identities.network(text) == network


def test_a_network_of_one_person_can_be_named() -> None:
    assert identities.network("2001:DB8::/64") == identities.network("2001:db8::1/128") == "2001:db8::/64"
    assert identities.network("1.2.3.4/32") == "1.2.3.4"


@pytest.mark.parametrize("text", ["1.2.3.04", "1.2.3", "10.0.0.0/8", "2001:db8::/32", "unknown", "1.2.3.4.5", "::g"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(NoCanonicalForm):
        identities.network(text)
