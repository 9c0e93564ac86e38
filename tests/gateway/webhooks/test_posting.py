"""One POST: what reaches the other side, and what never does."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.gateway.webhooks import posting
from services.gateway.webhooks.posting import MOST_READ, SHOWN, Answer, Poster
from tests.dying_servers import call_dying_servers
from tests.gateway.webhooks.receiver import Receiver, receiving

HOST = "hooks.example.com"


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


async def here(host: str, port: int) -> Sequence[str]:
    """Every name leads to this machine."""
    return ["127.0.0.1"]


def post(url: str, *, private: bool = True, tls: ssl.SSLContext | None = None) -> Answer:
    async def once() -> Answer:
        poster = Poster(private=private, resolver=here, tls=tls)
        try:
            return await poster.post(url, {"webhook-id": "e1", "content-type": "application/json"}, b"{}")
        finally:
            await poster.close()

    return asyncio.run(once())


def test_body_and_headers_arrive_and_any_2xx_takes_it(receiver: Receiver) -> None:
    receiver.answers["taken"] = lambda _: 202
    answer = post(receiver.url("taken"))
    (request,) = receiver.at("taken")
    assert (answer.status, answer.taken, answer.error) == (202, True, None)
    assert (request.body, request.id) == (b"{}", "e1")


def test_a_refusal_comes_with_the_beginning_of_its_text(receiver: Receiver) -> None:
    receiver.answers["refused"] = lambda _: 500
    answer = post(receiver.url("refused"))
    assert (answer.status, answer.taken, answer.text) == (500, False, "as a test asked")


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.answers["moved"] = lambda _: 307
    receiver.headers["location"] = receiver.url("elsewhere")
    answer = post(receiver.url("moved"))
    assert (answer.status, answer.taken) == (307, False)
    assert receiver.at("elsewhere") == []


def test_the_receiver_says_how_long_to_wait(receiver: Receiver) -> None:
    receiver.answers["busy"] = lambda _: 429
    for header, wanted in (("120", 120), ("soon", None), ("-1", None), ("9999999", None), ("999999", 100_000)):
        receiver.headers["retry-after"] = header
        assert post(receiver.url("busy")).asked_seconds == wanted


def test_a_receiver_that_resets_the_connection_while_it_opens_is_a_failed_attempt() -> None:
    async def reset() -> set[str | None]:
        poster = Poster(private=True, resolver=here)
        try:
            answers = await call_dying_servers(lambda port: poster.post(f"http://{HOST}:{port}/", {}, b"{}"), 20)
        finally:
            await poster.close()
        return {answer.error for answer in answers}

    # On uvloop, anyio raises AttributeError here: a dispatcher must run on asyncio's own loop.
    assert asyncio.run(reset()) == {"connection"}


def test_an_address_inside_is_refused_at_the_connection(receiver: Receiver) -> None:
    port = receiver.address.rpartition(":")[2]
    answer = post(f"https://{HOST}:{port}/inside", private=False)
    assert (answer.status, answer.error) == (None, "address-refused")
    assert receiver.at("inside") == []


def test_plain_http_is_refused_unless_private(receiver: Receiver) -> None:
    assert post(receiver.url("plain"), private=False).error == "address-refused"
    assert receiver.at("plain") == []


def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert post(f"http://{HOST}:{taken.getsockname()[1]}/").error == "connection"


def test_who_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        answer = post(f"http://{HOST}:{silent.getsockname()[1]}/")
    assert (answer.status, answer.error) == (None, "timeout")


def serve_once(listening: socket.socket, answer: bytes) -> threading.Thread:
    """Answers one request with these bytes, as many of them as the other side takes."""

    def work() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65_536)
            try:
                connection.sendall(answer)
            except OSError:
                return

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_of_an_endless_answer_only_the_beginning_is_read() -> None:
    head = b"HTTP/1.1 500 No\r\ncontent-length: 1000000000\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = serve_once(listening, head + b"x" * 50_000_000)
        answer = post(f"http://{HOST}:{listening.getsockname()[1]}/")
        thread.join()
    assert (answer.status, answer.text) == (500, "x" * SHOWN)
    assert SHOWN < MOST_READ


@pytest.mark.parametrize("answer", [b"not http at all\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nx"])
def test_what_is_no_whole_answer_took_nothing(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = serve_once(listening, answer)
        outcome = post(f"http://{HOST}:{listening.getsockname()[1]}/")
        thread.join()
    assert (outcome.taken, outcome.error) == (False, "connection")


def test_what_is_shown_of_an_answer_can_be_printed() -> None:
    text = "a\x00\x1b[31m\nb\u202e".encode() + b"\xff"
    head = f"HTTP/1.1 400 No\r\ncontent-length: {len(text)}\r\n\r\n".encode()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = serve_once(listening, head + text)
        answer = post(f"http://{HOST}:{listening.getsockname()[1]}/")
        thread.join()
    assert answer.text.isprintable()
    assert answer.text.startswith("a")


# TLS


class Shy(BaseHTTPRequestHandler):
    hosts: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.hosts.append(self.headers["host"])
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *_: object) -> None:
        pass


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for HOST that vouches for itself, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, private = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return chain, private


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, ssl.SSLContext]]:
    """The port of an HTTPS server on this machine, and what trusts it."""
    chain, private = certificate(tmp_path_factory.mktemp("tls"))
    server = HTTPServer(("127.0.0.1", 0), Shy)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, private)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port, ssl.create_default_context(cafile=str(chain))
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_certificate_and_the_request_are_for_the_name_not_the_address(
    secure: tuple[int, ssl.SSLContext],
) -> None:
    port, trusting = secure
    assert post(f"https://{HOST}:{port}/", tls=trusting).taken
    assert Shy.hosts == [f"{HOST}:{port}"]


def test_another_name_and_an_unknown_authority_are_refused(secure: tuple[int, ssl.SSLContext]) -> None:
    port, trusting = secure
    assert post(f"https://other.example.com:{port}/", tls=trusting).error == "tls"
    assert post(f"https://{HOST}:{port}/").error == "tls"
