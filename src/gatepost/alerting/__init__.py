"""Alerts: what an instance is found to have wrong, and how somebody hears of it.

Outside the request path, in the monitor, which reads the metrics of all processes every few seconds. Objectives are
judged over windows of time (`objective_counts.py`, `burn_rates.py`), everything else at the moment (`conditions.py`).
What is found becomes an alert (`alerts.py`), which is mailed and posted (`deliveries.py`).
"""
