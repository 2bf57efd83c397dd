"""Gives a user the same API token in several databases."""

import subprocess

from .stack import ROOT, crm_env, crm_python
