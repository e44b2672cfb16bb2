"""The shop: signed bundles that people publish, ask for, verify and install."""
