"""Which configuration next, and which trial goes on?"""
