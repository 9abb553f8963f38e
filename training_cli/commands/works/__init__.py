"""What each command does with one volume of a cohort, as work that can be sent to other processes."""
