"""Routes that FastAPI documents, and otherwise keeps out of the way of."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.convertors import Convertor, register_url_convertor
from starlette.routing import request_response


class JobPath(Convertor[str]):
    """`{job_id:job}`: anything but the name of a call that stands in the same place, so that other methods of it are 405."""

    regex = "(?!batch(?:/|$))[^/]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("job", JobPath())


class PlainRoute(APIRoute):
    """For an endpoint that reads its request and makes its response itself, and takes only the parts of the path.

    Resolving dependencies would cost a poll half as much again as all the rest of it.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)

        async def answer(request: Request) -> Response:
            response: Response = await endpoint(request, **request.path_params)
            return response

        self.app = request_response(answer)


def group(tag: str, route_class: type[APIRoute] = APIRoute) -> APIRouter:
    """Calls that the documentation shows together. A call is known by the name of its function."""
    return APIRouter(tags=[tag], route_class=route_class, generate_unique_id_function=lambda route: route.name)
