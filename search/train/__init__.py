"""How is a network trained? No SQL, no sampler."""
