"""What a test of a fault needs: the system, the ledger, and a client."""

import asyncio
from dataclasses import dataclass

from tests.chaos.checker import Verdict, kept
from tests.chaos.customer import Customer
from tests.chaos.ledger import Ledger, Order, order
from tests.chaos.rig import Rig


@dataclass(frozen=True, slots=True)
class Scene:
    rig: Rig
    ledger: Ledger
    customer: Customer

    async def submit(self, count: int, seconds: float = 0.0) -> list[Order]:
        return [await self.customer.submit(order(seconds=seconds)) for _ in range(count)]

    async def dies_at(self, part: str, failpoint: str) -> int:
        """Starts it anew, to die there; after that its supervisor starts it without. -> its process id"""
        await self.rig.system.stop(part)
        await self.rig.system.start(part, FAILPOINT=failpoint)
        return self.rig.pid(part)

    async def ends_well(self, within: float = 60.0) -> Verdict:
        """Everything comes to its end, and all promises are kept."""
        await self.rig.drained(within)
        return await kept(self.rig.truth, self.ledger, self.rig.blobs)

    async def ordered(self, more: int, within: float = 60.0) -> None:
        """Until clients have ordered so many more jobs, and have been answered."""
        wanted = len(self.ledger.accepted) + more
        async with asyncio.timeout(within):
            while len(self.ledger.accepted) < wanted:
                await asyncio.sleep(0.05)
