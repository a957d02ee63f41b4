"""Projects: data, classes made on the page, options and network in one file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nn.data import Dataset

from app.lab.browser import downloads
from app.lab.data import TITLES, Data, Form
from app.lab.images import mnist, project

if TYPE_CHECKING:
    from app.lab.own import Own


class Projects:
    """Served as `lab.projects`.

    Args:
        digits: the data sets that the page trains on.
        data: takes those of a project.
        classes: those made on the page, which projects hold too.
    """

    def __init__(self, digits: mnist.Mnist, data: Data, classes: Own) -> None:
        self._mnist = digits
        self._data = data
        self._classes = classes

    def save(self, model: Any, options: str, trained: int) -> dict[str, Any]:
        """Write data, classes made on the page, options and network to a file.

        Returns:
            {url (inside this browser), name, size}

        Raises:
            ProjectError: the network does not read these data as pictures.
        """
        data = self._mnist
        own = data.name not in TITLES.values()
        sets = mnist.of_pictures(data.train, data.test) if own else None
        featured = own and data.read is not mnist.scaled
        whole = (options, trained, model, data.name, sets, self._classes.made(), featured)
        content = project.write(project.Project(*whole))
        url = downloads.object_url(content)
        return {"url": url, "name": "farcall-project.zip", "size": len(content)}

    async def open(self, url: str) -> dict[str, Any]:
        """Train on a project's data from now on, and bring back the classes that it holds.

        Args:
            url: its object URL.

        Returns:
            {model, options, trained, replaced, pictures, changed}: whether the data are others, the
            number of the classes' pictures, whether they are others than the data were made of.

        Raises:
            ProjectError: the file is none, or of other data of a site; nothing is changed.
            DownloadError, FetchError: EfficientNet-Lite0 cannot be fetched; likewise.
        """
        found = project.read(await downloads.download(url))
        sets, made = found.sets, found.made
        if sets is not None:
            given, read = sets, None
            if found.featured:
                given, read = await self._classes.featured(*sets)

            async def source(form: Form | None) -> tuple[Dataset, Dataset]:
                return given

            await self._data.use(found.name, source, convertible=False, read=read)
        elif found.name != self._mnist.name:
            raise project.ProjectError(f"its data are {found.name}: choose them first")
        if made is not None:
            self._classes.bring(made)
        return {
            "model": found.model,
            "options": found.options,
            "trained": found.trained,
            "replaced": sets is not None,
            "pictures": 0 if made is None else len(made.labels),
            "changed": made is not None and made.changed,
        }
