"""`python -m search.bench`."""

import sys

from search.bench.command import main

sys.exit(main())
