"""What leaves the sensor: metrics, JSON lines, the terminal. Text is made here and nowhere else."""
