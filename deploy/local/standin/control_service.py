"""The service behind `control`."""

from typing import Any

import grpc
import msgspec

from deploy.local.standin import commands
from deploy.local.standin.commands import Answer, Command
from deploy.local.standin.errors import InvalidArgument
from deploy.local.standin.faults import matches
from deploy.local.standin.registry import Registry
from deploy.local.standin.rpc import Context, Hanging, refuse, told

_decoder = msgspec.json.Decoder(Command)


class ControlService:
    def __init__(self, registry: Registry, hanging: Hanging) -> None:
        self._registry = registry
        self._faults = registry.faults
        self._hanging = hanging

    def handler(self) -> grpc.GenericRpcHandler:
        """It passes no gate: who controls is never refused."""
        method = grpc.unary_unary_rpc_method_handler(self._call)  # bytes in, bytes out
        return grpc.method_handlers_generic_handler(commands.SERVICE, {commands.METHOD: method})

    async def _call(self, request: bytes, context: Context) -> Any:
        try:
            return msgspec.json.encode(self.obey(_decoder.decode(request)))
        except msgspec.ValidationError as error:
            await refuse(context, InvalidArgument(str(error)))
        except InvalidArgument as refused:
            await refuse(context, refused)

    def obey(self, command: Command) -> Answer:
        """Raises InvalidArgument."""
        match command:
            case commands.Inject(fault):
                _check_status(fault.status)
                return Answer(self._faults.tell(fault))
            case commands.Withdraw(number):
                return self._withdraw(number)
            case commands.Seed(seed):
                self._faults.seed(seed)
                return Answer()
            case commands.Ask():
                return Answer(told=tuple(self._faults.report()))
            case commands.CloseStreams():
                return Answer(self._close_streams(command))
            case commands.Forget():
                self._registry.clear()
                return Answer()

    def _withdraw(self, number: int | None) -> Answer:
        report = tuple(one for one in self._faults.report() if number in {None, one.number})
        for one in report:
            self._faults.withdraw(one.number)
        self._hanging.release()
        return Answer(told=report)

    def _close_streams(self, command: commands.CloseStreams) -> int:
        _check_status(command.status)
        subscriptions = self._registry.subscriptions.values()
        streams = [
            stream
            for one in subscriptions
            if matches(command.resource, (one.name, one.settings.topic))
            for stream in one.streams
        ]
        for stream in streams:
            stream.close(told(command.status, command.text))
        return len(streams)


def _check_status(status: str) -> None:
    if status not in grpc.StatusCode.__members__ or status == "OK":
        raise InvalidArgument(f"{status!r} is not the name of a status that a call can be refused with.")
