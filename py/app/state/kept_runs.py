"""The runs that the browser keeps: the last ones and the best. Pure Python."""

from app.state import run_history


class KeptRuns:
    """The runs, each a row of its own in the browser's storage: two tabs keep each other's.

    Args:
        name: gives a name that no row of any tab has.

    Attributes:
        runs: the oldest first.
    """

    def __init__(self, name):
        self._name = name
        self.runs = []
        self._rows = {}  # the name of each run's row, by the run's id()
        self._gone = []  # names of rows to delete

    def take(self, rows):
        """Take the runs of earlier visits: name and text of each row."""
        runs = []
        for name, text in rows:
            found = run_history.from_json(text)
            if len(found) == 1:
                self._rows[id(found[0])] = name
                runs += found
            else:  # damaged
                self._gone.append(name)
        self._keep(run_history.numbered(runs))

    def add(self, run):
        """Add a run that has ended."""
        self._keep(self.runs + [run])

    def _keep(self, runs):
        """Keep the last runs and the best; the rows of others are deleted with the next save."""
        self.runs = run_history.kept(runs)
        for run in runs:
            if run not in self.runs and id(run) in self._rows:
                self._gone.append(self._rows.pop(id(run)))

    async def save(self, history):
        """Save each run that has no row.

        Args:
            history: the worker's `lab.history`.

        Raises:
            Exception: the browser refused; the next save tries again.
        """
        rows, gone, self._gone = [], self._gone, []
        new = [run for run in self.runs if id(run) not in self._rows]
        for run in new:
            name = self._rows[id(run)] = self._name()
            rows.append([name, run_history.to_json([run])])
        try:
            await history.save(rows, gone)
        except Exception:
            self._gone += gone
            for run in new:
                self._rows.pop(id(run), None)
            raise
