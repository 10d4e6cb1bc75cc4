"""Whether something answers at a Ray address: Ray itself tries for a minute and a half, deaf to signals."""

from __future__ import annotations

import os
import re
import socket

from ..errors import AetherError, ArgumentError

_WAIT_SECONDS = 5.0
_ADDRESS = re.compile(r"(?:ray://)?(?P<host>[^\s:/]+|\[[^\]\s]+\]):(?P<port>\d{1,5})")
_SETTINGS = 4
"""The type of the first frame that each side of an HTTP/2 connection sends (RFC 9113, 3.4 and 6.5)."""
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, _SETTINGS, 0, 0, 0, 0, 0])


def check_answers(address: str) -> None:
    """Raise `ArgumentError` for what is no address, `AetherError` unless a gRPC server, as Ray's is, answers.

    That takes a few seconds at most.
    """
    found = _ADDRESS.fullmatch(address)
    if not found or int(found["port"]) > 65535:
        raise ArgumentError(
            f"{address!r} is no address of a Ray cluster: expected HOST:PORT, or ray://HOST:PORT for a "
            "machine that is no node of it"
        )
    try:
        with socket.create_connection(
            (found["host"].strip("[]"), int(found["port"])), _WAIT_SECONDS
        ) as connection:
            if os.environ.get("RAY_USE_TLS", "0") != "0":
                return
            connection.sendall(_HELLO)
            said = connection.recv(9)
    except OSError as error:
        reason = "it takes too long" if isinstance(error, TimeoutError) else error.strerror or error
        raise AetherError(f"no Ray cluster answers at {address}: {reason}") from error
    if len(said) < 4 or said[3] != _SETTINGS:
        raise AetherError(f"what answers at {address} is no Ray cluster")
