"""What was asked for: the study, its recipe, its rungs."""
