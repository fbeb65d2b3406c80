"""The short form counts and never times; ZUBR_FAULTS_LONG=1 (./dev test faults --long) is the long one."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
