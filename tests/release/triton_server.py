"""A server that speaks Triton's protocol and serves a model repository as Triton's documentation says."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc  # pyright: ignore[reportMissingTypeStubs]
import numpy as np
import onnxruntime
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc

DTYPES: dict[str, type[np.floating]] = {"TYPE_FP16": np.float16, "TYPE_FP32": np.float32}


def read_config(path: Path) -> Any:
    """Parse a `config.pbtxt`; a field that Triton does not know is an error."""
    messages: Any = model_config_pb2
    return text_format.Parse(path.read_text(encoding="utf-8"), messages.ModelConfig())


def type_of(tensor: Any) -> str:
    """Return the name of a tensor's data type in a configuration."""
    messages: Any = model_config_pb2
    return messages.DataType.Name(tensor.data_type)


class Server:
    """Answers `ModelInfer` for the models of one repository."""

    def __init__(self, repository: Path) -> None:
        self._repository = repository

    def infer(self, request: Any, context: Any) -> Any:
        """Run one request, or refuse one that the configuration does not allow."""
        folder = self._repository / request.model_name
        config = read_config(folder / "config.pbtxt")
        (given,), (result,) = config.input, config.output
        (asked,) = request.inputs
        allowed = [*([-1] if config.max_batch_size else []), *given.dims]
        fits = len(allowed) == len(asked.shape) and all(
            size in (-1, found) for size, found in zip(allowed, asked.shape, strict=True)
        )
        if config.max_batch_size and asked.shape[0] > config.max_batch_size:
            fits = False
        if not fits or f"TYPE_{asked.datatype}" != type_of(given) or asked.name != given.name:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the input is not the configured one")
        flat = np.frombuffer(request.raw_input_contents[0], DTYPES[type_of(given)])
        batch = flat.reshape(tuple(map(int, asked.shape)))
        library: Any = onnxruntime
        session = library.InferenceSession(
            str(folder / "1" / config.default_model_filename), providers=["CPUExecutionProvider"]
        )
        output = session.run([result.name], {given.name: batch})[0]
        messages: Any = service_pb2
        answer = messages.ModelInferResponse(model_name=request.model_name, model_version="1")
        answer.outputs.add(name=result.name, datatype=asked.datatype, shape=output.shape)
        answer.raw_output_contents.append(output.tobytes())
        return answer


@contextmanager
def serving(repository: Path) -> Generator[int]:
    """Serve a repository, and yield the port."""
    library: Any = grpc
    stubs: Any = service_pb2_grpc
    server = library.server(ThreadPoolExecutor(1))
    ours = Server(repository)

    class Servicer(stubs.GRPCInferenceServiceServicer):
        def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
            return ours.infer(request, context)

    stubs.add_GRPCInferenceServiceServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()
