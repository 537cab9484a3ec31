"""What the commands of `sensorlm-hf` do that nothing else in the package does; `cli.py` parses their arguments."""
