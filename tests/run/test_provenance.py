"""What a run sets for its whole process is told by its record, and no import sets anything."""

import json
import subprocess
import sys

from threadpoolctl import ThreadpoolController

from genlab.run.provenance import blas_threads, machine

IMPORTS = """
import json, signal
import numpy, torch, scipy.linalg.cython_blas
from threadpoolctl import ThreadpoolController
torch.set_num_threads(2)

def settings():
    handlers = [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]
    pools = [pool["num_threads"] for pool in ThreadpoolController().select(user_api="blas").info()]
    numbers = torch.get_rng_state().sum().item()
    return [torch.get_num_threads(), str(torch.get_default_dtype()), numbers, pools, handlers]

before = settings()
import genlab.char_rnn.compiled, genlab.run.fit, genlab.run.cli
import genlab.char_rnn.module, genlab.classifier.module, genlab.dcgan.module, genlab.vae.module
print(json.dumps([before, settings()]))
"""


def test_the_record_says_what_blas_may_use() -> None:
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        assert machine()["blas_threads"] == 1
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        assert blas_threads() == 2


def test_imports_set_nothing_for_the_whole_process() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True)
    before, after = json.loads(done.stdout.strip().splitlines()[-1])
    assert before[3], "NumPy's BLAS is there to be asked"
    assert after == before
