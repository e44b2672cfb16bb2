"""`strades up`: the servers, and the guard before them."""
