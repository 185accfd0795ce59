"""How fast is this machine, and how far is that from its limits?"""
