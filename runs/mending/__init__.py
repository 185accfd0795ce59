"""A database looked over and mended: what is wrong with it, and what can be done."""
