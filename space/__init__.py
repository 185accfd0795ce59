"""What can be built, and what does it cost?"""
