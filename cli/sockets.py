"""Addresses to listen on."""

from __future__ import annotations

import socket

from cli.common import fail


def listen(host: str, port: int) -> socket.socket:
    """A bound socket. Ends the command where it can't be had."""
    # Named protocol: asyncio turns Nagle's delay off only on sockets that say they are TCP.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        fail(f"{host}:{port} can't be listened on: {error.strerror}. Give another port with --port.")
    return listening
