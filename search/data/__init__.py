"""Where do the images come from?"""

from __future__ import annotations

from search.data.array_source import Arrays
from search.data.arrays import ImageData, find_task, from_arrays, load, load_test, versions
from search.data.errors import DataError

__all__ = [
    "Arrays",
    "DataError",
    "ImageData",
    "find_task",
    "from_arrays",
    "load",
    "load_test",
    "versions",
]
