"""What the machine reports about itself: /proc, /sys, clocks, sensors, power."""
