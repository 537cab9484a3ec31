"""Implementation of the `sensorlm-hf` commands; `cli.py` parses their arguments."""
