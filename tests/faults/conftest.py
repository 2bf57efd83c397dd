"""Nodes for one test each."""

import pytest

from faults.node import Node


@pytest.fixture
def start_node(tmp_path):
    """Starts nodes that are stopped after the test."""
    started = []

    def start(**how) -> Node:
        folder = tmp_path / f"node-{len(started)}"
        folder.mkdir()
        node = Node(folder, **how)
        started.append(node)
        return node

    yield start
    for node in started:
        node.stop()


@pytest.fixture
def node(start_node) -> Node:
    return start_node()
