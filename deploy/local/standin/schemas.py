"""google.pubsub.v1.SchemaService, of which there is nothing: each of its methods says so."""

from typing import Any

import grpc

from deploy.local.standin.errors import Unsupported
from deploy.local.standin.rpc import Context, refuse

NAME = "google.pubsub.v1.SchemaService"


class NoSchemas(grpc.GenericRpcHandler):  # type: ignore[misc]  # gRPC has no types
    def service(self, handler_call_details: Any) -> Any:
        if handler_call_details.method.startswith(f"/{NAME}/"):
            return grpc.unary_unary_rpc_method_handler(_refuse)
        return None


async def _refuse(_request: bytes, context: Context) -> None:
    await refuse(context, Unsupported("The stand-in has no schemas: messages are not looked into."))
