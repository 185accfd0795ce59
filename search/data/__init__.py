"""Where do the images come from?"""

from __future__ import annotations

from search.data.arrays import ImageData, find_task, load, load_test, versions
from search.data.errors import DataError

__all__ = ["DataError", "ImageData", "find_task", "load", "load_test", "versions"]
