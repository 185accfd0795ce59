"""Where do the images come from?"""

from __future__ import annotations

from search.data.array_source import Arrays
from search.data.errors import DataError, NoTestError
from search.data.loading import ImageData, find_task, from_arrays, load, load_test, versions

__all__ = [
    "Arrays",
    "DataError",
    "ImageData",
    "NoTestError",
    "find_task",
    "from_arrays",
    "load",
    "load_test",
    "versions",
]
