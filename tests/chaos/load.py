"""Clients that go on ordering while things break: alone and in batches, waiting, following, cancelling, retrying."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress

from ml_service.models.echo import Behave
from tests.chaos.customer import Customer, GaveUp
from tests.chaos.ledger import Ledger, Order, order
from tests.chaos.rig import INLINE

SINGLE, LARGEST_BATCH = 0.6, 40  # how many submissions are of one job, and how many jobs the others have at most
LARGE = 0.05  # of the jobs have results that go to the blob store
LONGEST = 0.6  # seconds that most jobs take at most
WATCHED = 3  # jobs of a submission that its client asks for afterwards
CANCELLED_AFTER = (0.0, 1.5)  # seconds
FOLLOWED_FOR = 240.0  # seconds; beyond that the job is left to the checker
# What models do now and then by themselves; what costs a process is injected, and counted as a fault.
_MOODS = ((Behave.OK, 96.0), (Behave.RAISE, 2.0), (Behave.NAN, 1.0), (Behave.RAISE_RETRYABLE, 1.0))


class Load:
    """rate: jobs a second, all clients together. Ends when it is cancelled, or told to `finish`."""

    def __init__(self, urls: Sequence[str], ledger: Ledger, *, rate: float, clients: int, seed: int) -> None:
        self.done: Counter[str] = Counter()
        self._urls = urls
        self._ledger = ledger
        self._pause = clients * self._jobs_of_a_submission() / rate
        self._clients = clients
        self._seed = seed
        self._finishing = asyncio.Event()
        self.repeated: Callable[[], int] = lambda: 0

    async def run(self) -> None:
        customers = [Customer(self._rotated(number), self._ledger) for number in range(self._clients)]
        self.repeated = lambda: sum(customer.repeated for customer in customers)
        try:
            async with asyncio.TaskGroup() as tasks:
                for number, customer in enumerate(customers):
                    tasks.create_task(self._one(customer, random.Random(f"{self._seed} client {number}")))
        finally:
            for customer in customers:
                await customer.close()

    def finish(self) -> None:
        """Orders nothing more; what was ordered is followed to its end."""
        self._finishing.set()

    async def _one(self, customer: Customer, chance: random.Random) -> None:
        async with asyncio.TaskGroup() as watching:
            while not self._finishing.is_set():
                orders = await self._order(customer, chance)
                if orders:
                    watched = chance.sample(orders, min(WATCHED, len(orders)))
                    plans = [chance.random() for _ in watched]
                    watching.create_task(self._watch(customer, list(zip(watched, plans, strict=True))))
                with suppress(TimeoutError):
                    async with asyncio.timeout(chance.expovariate(1 / self._pause)):
                        await self._finishing.wait()

    async def _order(self, customer: Customer, chance: random.Random) -> Sequence[Order]:
        try:
            if chance.random() > SINGLE:
                self.done["batches"] += 1
                return await customer.submit_batch([_any(chance) for _ in range(chance.randint(2, LARGEST_BATCH))])
            self.done["single"] += 1
            if chance.random() < 0.15:
                return await self._change_of_mind(customer, chance)
            if chance.random() < 0.1:
                self.done["sent twice at once"] += 1
                return [await customer.submit_twice(_any(chance))]
            return [await customer.submit(_any(chance))]
        except GaveUp:
            self.done["given up"] += 1
            return []

    async def _change_of_mind(self, customer: Customer, chance: random.Random) -> Sequence[Order]:
        """A long job that its client cancels, perhaps in the queue, perhaps while it runs."""
        self.done["cancelled"] += 1
        one = await customer.submit(order(seconds=CANCELLED_AFTER[1] + 1.0))
        await asyncio.sleep(chance.uniform(*CANCELLED_AFTER))
        await customer.cancel(one)
        return [one]

    async def _watch(self, customer: Customer, plans: Sequence[tuple[Order, float]]) -> None:
        for one, plan in plans:
            try:
                async with asyncio.timeout(FOLLOWED_FOR):
                    await self._deal_with(customer, one, plan)
            except (TimeoutError, GaveUp):
                self.done["not followed to the end"] += 1

    async def _deal_with(self, customer: Customer, one: Order, plan: float) -> None:
        if plan < 0.3:
            self.done["followed"] += 1
            await customer.follow(one, FOLLOWED_FOR)
        else:
            self.done["waited for"] += 1
        job = await customer.finished(one, FOLLOWED_FOR)
        if job["state"] != "succeeded" and plan < 0.5:
            self.done["retried"] += 1
            await customer.retry(one)
            await customer.finished(one, FOLLOWED_FOR)

    def _rotated(self, number: int) -> list[str]:
        """Each client has another API first."""
        first = number % len(self._urls)
        return [*self._urls[first:], *self._urls[:first]]

    @staticmethod
    def _jobs_of_a_submission() -> float:
        return SINGLE + (1 - SINGLE) * (2 + LARGEST_BATCH) / 2


def _any(chance: random.Random) -> Order:
    (behave,) = chance.choices([one for one, _ in _MOODS], [weight for _, weight in _MOODS])
    bulk = 2 * INLINE if chance.random() < LARGE else 0
    return order(behave, seconds=round(chance.uniform(0, LONGEST) * chance.random(), 3), bulk=bulk)
