"""How workers share the suite: whole files, and never two of the long stories at once while there is other work.

A story starts a dozen processes and waits for them most of the time; beside it a worker with short tests uses what the
story leaves of the machine, and neither keeps the other from its deadlines.
"""

import re

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

STORIES = ("tests/chaos/", "tests/journeys/")
DATABASE = re.compile(r"\[(sqlite|postgresql)\b")


class Sharing(LoadScopeScheduling):
    """Files are the units; a story is two where it is told on two databases."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        database = DATABASE.search(nodeid)
        return f"{file} on {database[1]}" if database and file.startswith(STORIES) else file

    def _assign_work_unit(self, node: WorkerController) -> None:
        told_elsewhere = any(
            scope.startswith(STORIES) and not all(unit.values())
            for other, units in self.assigned_work.items()
            if other is not node
            for scope, unit in units.items()
        )
        fitting = (scope for scope in self.workqueue if scope.startswith(STORIES) != told_elsewhere)
        self.workqueue.move_to_end(next(fitting, next(iter(self.workqueue))), last=False)
        super()._assign_work_unit(node)
