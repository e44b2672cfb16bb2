"""The commands that try strategies on the past: what they are given, what they run, what they tell."""
