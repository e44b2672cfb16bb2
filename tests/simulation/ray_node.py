"""A Ray node on the loopback alone: Ray takes the machine's own address where it is given 127.0.0.1."""

from ray._private import services
from ray.scripts.scripts import main

if __name__ == "__main__":
    services.resolve_ip_for_localhost = lambda host: host
    services.get_node_ip_address = lambda address=None: "127.0.0.1"
    main()
