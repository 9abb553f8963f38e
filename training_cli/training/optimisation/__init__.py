"""What optimisation needs: networks, losses, averages, schedule, precision, several processes."""
