"""Addresses at which no Ray cluster answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from spandrel_aethernet.errors import AetherError, ArgumentError
from spandrel_aethernet.workers.ray_address import check_answers


@contextmanager
def server(answer: bytes) -> Generator[int]:
    """Listen, and answer the first who comes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(100)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(10)


@pytest.mark.parametrize("address", ["photos/", "head", "head:", "head:70000", "http://head:6379", ""])
def test_what_is_no_address_is_said(address: str) -> None:
    with pytest.raises(
        ArgumentError, match="is no address of a Ray cluster: expected HOST:PORT, or ray://HOST"
    ):
        check_answers(address)


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_an_address_that_does_not_answer_is_one_sentence(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(AetherError, match=f"no Ray cluster answers at {scheme}127.0.0.1:{port}: "):
        check_answers(f"{scheme}127.0.0.1:{port}")


def test_what_answers_otherwise_is_no_cluster() -> None:
    with (
        server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port,
        pytest.raises(AetherError, match=f"what answers at 127.0.0.1:{port} is no Ray cluster"),
    ):
        check_answers(f"127.0.0.1:{port}")


def test_the_first_frame_of_a_grpc_server_is_enough() -> None:
    with server(bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])) as port:
        check_answers(f"127.0.0.1:{port}")
