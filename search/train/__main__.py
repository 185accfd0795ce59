"""`python -m search.train`: nothing of this package; it trains one configuration as a study."""

import sys

from search.train_command import main

if __name__ == "__main__":
    sys.exit(main())
