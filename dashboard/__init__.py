"""What people see and decide: pages of the trading data, made on the server by Django.

It imports the domain packages and never the wiring; nothing imports it.
"""
