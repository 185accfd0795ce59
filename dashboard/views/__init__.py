"""What the navigation opens, one file a page."""
