"""A study as one HTML file: `python -m runs report --study mixer_cifar --out report.html`."""
