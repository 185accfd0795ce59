"""What trains: processes of this machine, or actors on a Ray cluster."""
