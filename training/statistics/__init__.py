"""Statistics of answers: intervals, metrics, calibration, comparison, and plots of them."""
