"""Who trains? Processes of this machine, or actors on a Ray cluster."""
