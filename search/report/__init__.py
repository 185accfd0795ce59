"""How does a study go, and what did it find? For a terminal."""
