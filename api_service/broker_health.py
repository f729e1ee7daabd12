"""Whether the broker answers, as those who speak to it anyway have seen it last."""

from shared.errors import BrokerUnavailable


class BrokerHealth:
    def __init__(self) -> None:
        self._error: str | None = None

    def answered(self) -> None:
        self._error = None

    def failed(self, error: Exception) -> None:
        self._error = str(error)

    async def check(self) -> None:
        """Raises BrokerUnavailable with what was seen last; costs nothing and waits for nobody."""
        if self._error is not None:
            raise BrokerUnavailable(self._error)
