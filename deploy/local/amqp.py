"""As much of AMQP 0-9-1 as it takes to log in: the way to know that a broker serves its user."""

from __future__ import annotations

import socket
import struct
from urllib.parse import unquote, urlsplit

_HEADER = b"AMQP\x00\x00\x09\x01"
_METHOD, _END = 1, 0xCE
_START, _START_OK, _TUNE, _TUNE_OK, _OPEN, _OPEN_OK = 10, 11, 30, 31, 40, 41
_CLOSE, _CLOSE_OK = 50, 51
_CONNECTION = 10


def can_log_in(url: str, seconds: float = 5.0) -> bool:
    """Whether the broker at amqp://user:password@host:port/ opens a connection for that user within the time."""
    address = urlsplit(url)
    user, password = unquote(address.username or ""), unquote(address.password or "")
    try:
        with socket.create_connection((address.hostname, address.port or 5672), timeout=seconds) as broker:
            broker.sendall(_HEADER)
            _expect(broker, _START)
            _send(broker, _START_OK, _ABOUT_US + _short("PLAIN") + _long(f"\0{user}\0{password}") + _short("en_US"))
            tuning = _expect(broker, _TUNE)
            _send(broker, _TUNE_OK, tuning)
            _send(broker, _OPEN, _short("/") + _short("") + b"\0")
            _expect(broker, _OPEN_OK)
            _send(broker, _CLOSE, struct.pack(">H", 200) + _short("") + struct.pack(">HH", 0, 0))
            _expect(broker, _CLOSE_OK)
    except (OSError, _Refused):
        return False
    return True


class _Refused(Exception):
    """The broker said something else, or hung up."""


def _send(broker: socket.socket, method: int, arguments: bytes) -> None:
    payload = struct.pack(">HH", _CONNECTION, method) + arguments
    broker.sendall(struct.pack(">BHI", _METHOD, 0, len(payload)) + payload + bytes([_END]))


def _expect(broker: socket.socket, method: int) -> bytes:
    kind, _channel, size = struct.unpack(">BHI", _read(broker, 7))
    payload = _read(broker, size + 1)[:-1]
    if kind != _METHOD or struct.unpack(">HH", payload[:4]) != (_CONNECTION, method):
        raise _Refused
    return payload[4:]


def _read(broker: socket.socket, size: int) -> bytes:
    read = b""
    while len(read) < size:
        if not (more := broker.recv(size - len(read))):
            raise _Refused
        read += more
    return read


def _short(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def _long(text: str) -> bytes:
    return struct.pack(">I", len(text)) + text.encode()


def _table(name: str, kind: bytes, value: bytes) -> bytes:
    return struct.pack(">I", len(name) + 2 + len(value)) + _short(name) + kind + value


# Without this, the broker lets a wrong password wait for seconds, without a word.
_ABOUT_US = _table("capabilities", b"F", _table("authentication_failure_close", b"t", b"\1"))
