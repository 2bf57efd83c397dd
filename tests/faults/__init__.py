"""Faults under load: what users get while parts of the whole fail. No Flask and no database: scripted origins."""
