"""Numbers about answers: intervals, metrics, calibration, comparison, and plots of them."""
