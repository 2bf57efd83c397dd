"""Tests of the CRM through the Flask test client; conftest.py has the fixtures."""
