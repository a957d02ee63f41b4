"""The room that a pool's workers have for jobs, and who waits for it."""

from farcall import platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from farcall.workers.started import Worker


class Turn(platform.Waiter):
    """The wait of one job for a worker; its value is that worker's place in the pool.

    Args:
        number: of the job: the lower one comes first.
        most: how many jobs the worker may be at, this one included.
        queue: where it waits.
    """

    def __init__(self, number: "int", most: "int", queue: "list[Turn]") -> None:
        self.number = number
        self.most = most
        self.queue = queue

    def cancelled(self) -> None:
        """Wait no longer."""
        self.queue.remove(self)


class Rooms:
    """Lets jobs of one depth to a pool's workers, in their order.

    Args:
        workers: of the pool.
        depth: 0 for jobs of the page, 1 for jobs that those run, and so on.

    Attributes:
        loads: how many jobs each worker is at.
        queues: who waits for each worker, and last who takes any.
    """

    def __init__(self, workers: "list[Worker]", depth: "int" = 0) -> None:
        self.depth = depth
        self.loads = [0] * len(workers)
        self.queues: "list[list[Turn]]" = [[] for _ in range(len(workers) + 1)]
        self._workers = workers
        self._jobs = 0

    def number(self) -> int:
        """The number of a new job."""
        self._jobs += 1
        return self._jobs

    def demand(self, index: "int") -> int:
        """How many jobs a worker is at, or has waiting for it alone."""
        return self.loads[index] + len(self.queues[index])

    async def turn(self, number: "int", most: "int", home: "int") -> "int | None":
        """The place of a worker with room, which `leave` gives back; None if the home is gone.

        Args:
            number: of the job.
            most: how many jobs the worker may be at, this one included.
            home: the place of the only worker that may take it; -1 for any.
        """
        queue = self.queues[home]
        turn = Turn(number, most, queue)
        queue.append(turn)
        if len(queue) == 1:  # else there is no room for the first either
            self._admit()
        try:
            index: "int | None" = await turn
        except BaseException as exc:
            if turn.value is not None and not platform.is_over(exc):
                self.leave(turn.value)
            raise
        return index

    def leave(self, index: "int") -> None:
        """A job is over."""
        self.loads[index] -= 1
        self._admit()

    def changed(self) -> None:
        """A worker has come or gone: who waits for one that is gone looks for another."""
        usable = [worker.usable() for worker in self._workers]
        for index, here in enumerate(usable + [True in usable]):
            while not here and self.queues[index]:
                self.queues[index].pop(0).settle_soon(None)
        self._admit()

    def _admit(self) -> None:
        """Let in who waits, as far as workers have room."""
        while any(self.queues):
            rooms = [i for i in range(len(self._workers)) if self._has_room(i)]
            if not rooms:
                return
            index = min(rooms, key=lambda i: self.loads[i])
            self.loads[index] += 1
            self._next(index).pop(0).settle_soon(index)

    def _next(self, index: "int") -> "list[Turn]":
        """The queue whose first is next at a worker."""
        own, common = self.queues[index], self.queues[-1]
        return own if own and not (common and common[0].number < own[0].number) else common

    def _has_room(self, index: "int") -> bool:
        queue = self._next(index)
        up = self._workers[index].engine is not None
        return up and bool(queue) and self.loads[index] < queue[0].most
