from tests.flow.conftest import _no_faults_left, stand, world

__all__ = ["_no_faults_left", "stand", "world"]
