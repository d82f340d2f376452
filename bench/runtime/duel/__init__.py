"""Two models measured in turns on this machine: `bench versus`."""
