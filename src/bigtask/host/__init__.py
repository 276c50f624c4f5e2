"""The local host: carries runs out on this machine, and keeps them in folders that survive anything."""
