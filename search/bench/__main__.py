"""`python -m search.bench`."""

import sys

from search.bench.command import main

if __name__ == "__main__":
    sys.exit(main())
