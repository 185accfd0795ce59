"""A database looked over, and the results in spools put back into it."""
